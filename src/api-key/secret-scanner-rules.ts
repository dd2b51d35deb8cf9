import { keyPattern, SECRET_LENGTH, type KeyLabel } from './key-pattern.js';

/**
 * The fields of a custom pattern of GitHub's secret scanning. The expressions are for Hyperscan.
 * @see https://docs.github.com/en/code-security/reference/secret-security/custom-patterns
 */
export interface GithubSecretPattern {
  readonly name: string;
  readonly secretFormat: string;
  readonly beforeSecret: string;
  readonly afterSecret: string;
  /** Matches, and is no key: what is in the place of a checksum can be none. */
  readonly testString: string;
}

/** What finds keys in repositories, tickets and chats, for three scanners. */
export interface SecretScannerRules {
  readonly github: GithubSecretPattern;
  /** A rule to append to `.gitleaks.toml`. */
  readonly gitleaks: string;
  /** A file for `trufflehog --config`. */
  readonly trufflehog: string;
}

/** GitHub's own defaults, given all the same, so that the pattern says all that it does. */
const START_OR_OTHER = '\\A|[^0-9A-Za-z]';
const END_OR_OTHER = '\\z|[^0-9A-Za-z]';

/** Bits for each character. Random keys have more than 4.5 (300,000 were counted); one made up for a manual has less. */
const ENTROPY = 4;

/**
 * Rules for secret scanners that find Keyfence keys, from the same expression as `redactKeys` uses. Give your prefix and
 * environment for fewer false alarms. A match has the form of a key and need not be one: scanners compute no checksum.
 * Keys that Keyfence did not issue are not found, nor those that are encoded.
 */
export function secretScannerRules(
  format: {
    readonly prefix?: string;
    readonly environment?: string;
  } = {},
): SecretScannerRules {
  const regex = keyPattern(format);
  const id = ['keyfence', format.prefix, format.environment, 'api-key'].filter((part) => part !== undefined).join('-');
  return {
    github: {
      name: id,
      secretFormat: regex,
      beforeSecret: START_OR_OTHER,
      afterSecret: END_OR_OTHER,
      testString: exampleOf(format),
    },
    gitleaks: gitleaksRule(id, regex, keywordOf(format)),
    trufflehog: trufflehogDetector(id, regex, keywordOf(format)),
  };
}

/**
 * Nothing is asked of what stands before or behind: RE2 cannot look around, and what an expression takes is gone for the
 * key that follows.
 * @see https://github.com/gitleaks/gitleaks#configuration
 */
function gitleaksRule(id: string, regex: string, keyword: string): string {
  return `[[rules]]
id = "${id}"
description = "An API key issued by Keyfence. Revoke it: whoever read it holds its tenant's scopes."
regex = '''${regex}'''
entropy = ${ENTROPY}
keywords = ["${keyword}"]
`;
}

/** @see https://github.com/trufflesecurity/trufflehog/blob/main/pkg/custom_detectors/CUSTOM_DETECTORS.md */
function trufflehogDetector(id: string, regex: string, keyword: string): string {
  return `detectors:
  - name: ${id}
    keywords:
      - '${keyword}'
    regex:
      key: '${regex}'
`;
}

/** A text that every match has in it: scanners look for it first. */
function keywordOf({ prefix, environment }: KeyLabel): string {
  return environment === undefined ? (prefix ?? '_') : `${prefix ?? ''}${environment}_`;
}

/** A checksum is below 2^32, and so begins with a digit from 0 to 4. This one begins with a letter. */
function exampleOf({ prefix = 'kf', environment = 'live' }: KeyLabel): string {
  return `${prefix}${environment}_${'0'.repeat(16)}_${'NotARealKey'.repeat(4).slice(0, SECRET_LENGTH)}`;
}
