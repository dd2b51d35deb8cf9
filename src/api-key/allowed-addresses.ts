import ipaddr from 'ipaddr.js';

/** How an entry of `allowedIps` must look, for messages. */
export const ALLOWED_IP_RULE = 'an entry is an IPv4 or IPv6 address, or a range such as 10.0.0.0/8 or 2001:db8::/32';

/** True for an address or a CIDR range in its usual form; forms such as `127.1` or `010.0.0.1` are refused. */
export function isAllowedIp(text: string): boolean {
  return readRange(text) !== undefined;
}

/**
 * Whether an address lies in one of the ranges. An IPv4-mapped IPv6 address counts as the IPv4 one. What cannot be read,
 * on either side, is not allowed.
 */
export function isAddressAllowed(address: string | undefined, allowed: readonly string[]): boolean {
  const client = address === undefined ? undefined : readAddress(address);
  if (client === undefined) return false;
  return allowed.some((entry) => {
    const range = readRange(entry);
    return range?.[0].kind() === client.kind() && client.match(range);
  });
}

/** Whether one entry of an `allowedIps` allows no more than another does. */
export function isWithin(entry: string, limit: string): boolean {
  const [inner, outer] = [readRange(entry), readRange(limit)];
  return (
    inner?.[0].kind() === outer?.[0].kind() &&
    inner !== undefined &&
    outer !== undefined &&
    inner[1] >= outer[1] &&
    inner[0].match(outer)
  );
}

/** `ffff:` seven times and a dotted tail, with room. */
const MAX_LENGTH = 50;

type Address = ipaddr.IPv4 | ipaddr.IPv6;

function readAddress(text: string): Address | undefined {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) return undefined;
  // A zone means something on one machine only. The old "compatible" form is IPv6, and ipaddr.js reads some of its spellings as
  // the IPv4 address that it ends with; the mapped form is meant.
  if (text.length > MAX_LENGTH || text.includes('%')) return undefined;
  if (text.includes(':') && text.includes('.') && !/^(?:::|(?:0{1,4}:){5})ffff:/i.test(text)) return undefined;
  return ipaddr.process(text);
}

function readRange(text: string): [Address, number] | undefined {
  const [base = '', bits, ...rest] = text.split('/');
  const address = readAddress(base);
  if (address === undefined || rest.length > 0) return undefined;
  const width = address.kind() === 'ipv4' ? 32 : 128;
  if (bits === undefined) return [address, width];
  const mapped = base.includes(':') && width === 32;
  if (!/^(?:0|[1-9]\d{0,2})$/.test(bits) || mapped || Number(bits) > width) return undefined;
  return [address, Number(bits)];
}
