/** Text that still changes after this many decodings is not a path that anybody means. */
const MAX_DECODINGS = 8;

/**
 * What a text becomes if somebody percent-decodes it, once or more often, the text itself first. Byte by byte, so that a
 * stray `%` does not end it. `undefined` for a text that never comes to rest.
 */
export function decodings(text: string): readonly string[] | undefined {
  const found = [text];
  for (let last = text, next = decode(last); next !== last; last = next, next = decode(last)) {
    if (found.length > MAX_DECODINGS) return undefined;
    found.push(next);
  }
  return found;
}

/** Encodings of `.`, `/` and `\` that only some decoders know: overlong UTF-8 and `%uXXXX`. */
export const IRREGULAR_ENCODING = /%(?:c0|c1|[ef]0%(?:25)*80|u00(?:2e|2f|5c)|u221[56]|uff0[ef])/i;

function decode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_match, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
