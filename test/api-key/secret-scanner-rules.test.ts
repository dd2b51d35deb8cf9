import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { parse as parseToml } from 'smol-toml';
import { parse as parseYaml } from 'yaml';
import { generateKey, readKey } from '../../src/api-key/api-key-format.js';
import { redactKeys } from '../../src/api-key/redact-keys.js';
import { secretScannerRules, type GithubSecretPattern } from '../../src/api-key/secret-scanner-rules.js';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { FORMAT } from '../support/sample-key.js';

interface GitleaksRule {
  readonly id: string;
  readonly description: string;
  readonly regex: string;
  readonly entropy: number;
  readonly keywords: string[];
}

interface TrufflehogDetector {
  readonly name: string;
  readonly keywords: string[];
  readonly regex: Record<string, string>;
}

type Format = Parameters<typeof secretScannerRules>[0];

const FORMATS: readonly [string, Format][] = [
  ['any format', undefined],
  ['an empty format', {}],
  ['a prefix', { prefix: 'kf' }],
  ['an environment', { environment: 'live' }],
  ['both', FORMAT],
];

const KEYS = Array.from({ length: 500 }, () => generateKey(FORMAT).text);

const LOOK_ALIKES: readonly [string, string][] = [
  ['a UUID', randomUUID()],
  ['SHA-256', createHash('sha256').update('a').digest('hex')],
  ['SHA-512', createHash('sha512').update('a').digest('hex')],
  ['SHA-256 in base64', createHash('sha256').update('a').digest('base64')],
  ['a key with a cut secret', KEYS[0]?.slice(0, -1) ?? ''],
  ['a key with a cut secret in a sentence', `the key ${KEYS[0]?.slice(0, -1) ?? ''} is cut`],
  ['a key with a shorter id', `kflive_0123456789abcde_${'a'.repeat(43)}`],
  ['a masked key', redactKeys(KEYS[0] ?? '')],
  ['a label alone', 'kflive_'],
];

/** How a scanner would search: each as an expression for JavaScript. */
function searchesOf(format: Format): [string, RegExp][] {
  const { github, gitleaks, trufflehog } = secretScannerRules(format);
  return [
    ['github', githubExpression(github)],
    ['gitleaks', new RegExp(gitleaksRuleOf(gitleaks).regex)],
    ['trufflehog', new RegExp(detectorOf(trufflehog).regex.key ?? '$.')],
  ];
}

/** The three parts behind one another, `\A` and `\z` as JavaScript says it. */
function githubExpression({ beforeSecret, secretFormat, afterSecret }: GithubSecretPattern): RegExp {
  const [before, after] = [beforeSecret.replace('\\A', '^'), afterSecret.replace('\\z', '$')];
  return new RegExp(`(?:${before})(${secretFormat})(?:${after})`);
}

function gitleaksRuleOf(text: string): GitleaksRule {
  const { rules } = parseToml(text) as unknown as { rules: GitleaksRule[] };
  return onlyOne(rules);
}

function onlyOne<Item>(items: readonly Item[]): Item {
  const [item, ...others] = items;
  if (item === undefined || others.length > 0) throw new Error(`There are ${items.length} and should be one.`);
  return item;
}

function detectorOf(text: string): TrufflehogDetector {
  const { detectors } = parseYaml(text) as { detectors: TrufflehogDetector[] };
  return onlyOne(detectors);
}

describe.each(FORMATS)('the rules for %s', (_what, format) => {
  describe.each(searchesOf(format))('of %s', (scanner, expression) => {
    it('find every key', () => {
      for (const key of KEYS) {
        for (const text of [key, `x-api-key: ${key}`, `KEY="${key}"\n`, `a\n${key}\nb`, `${key},${key}`]) {
          const match = expression.exec(text);
          expect(scanner === 'github' ? match?.[1] : match?.[0]).toBe(key);
        }
      }
    });

    it.each(LOOK_ALIKES)('do not find %s', (_kind, text) => {
      expect(expression.test(text)).toBe(false);
    });

    it('use nothing that RE2 or Hyperscan lack, and repeat nothing without bound', () => {
      expect(expression.source).not.toMatch(/\(\?[=!<]|\\[1-9pk]|[*+]/);
    });
  });

  it('let every key through what a scanner looks at first', () => {
    const { gitleaks, trufflehog } = secretScannerRules(format);
    const { keywords, entropy } = gitleaksRuleOf(gitleaks);
    expect(detectorOf(trufflehog).keywords).toEqual(keywords);
    for (const key of KEYS) {
      expect(keywords.some((keyword) => key.includes(keyword))).toBe(true);
      expect(entropyOf(key)).toBeGreaterThan(entropy);
    }
  });

  it('have names that say whose keys they find', () => {
    const { github, gitleaks, trufflehog } = secretScannerRules(format);
    const parts = ['keyfence', format?.prefix, format?.environment, 'api-key'];
    expect(github.name).toBe(parts.filter(Boolean).join('-'));
    expect(gitleaksRuleOf(gitleaks)).toMatchObject({
      id: github.name,
      description: expect.stringContaining('Keyfence'),
    });
    expect(detectorOf(trufflehog).name).toBe(github.name);
  });

  it('come with an example that matches and can be no key', () => {
    const { github } = secretScannerRules(format);
    expect(githubExpression(github).test(github.testString)).toBe(true);
    const label = { prefix: format?.prefix ?? 'kf', environment: format?.environment ?? 'live' };
    expect(readKey(github.testString, label, false)).toBe('bad_checksum');
    // The checksum is below 2^32, and 2^32 has 4 as its first digit of six in base 62.
    expect(github.testString.at(-6)).toMatch(/[A-Za-z]/);
  });

  it('pass over the example, which is no finding', () => {
    const { github, gitleaks } = secretScannerRules(format);
    expect(entropyOf(github.testString)).toBeLessThan(gitleaksRuleOf(gitleaks).entropy);
  });
});

describe('the rules for one format', () => {
  it.each(searchesOf(FORMAT))('of %s find no other keys', (_scanner, expression) => {
    for (const other of [
      { prefix: 'kf', environment: 'test' },
      { prefix: 'sk', environment: 'live' },
    ]) {
      expect(expression.test(generateKey(other).text)).toBe(false);
    }
  });

  it.each(["'''", '"', '.*', 'KF', ''])('are not made for the prefix %j', (prefix) => {
    expect(() => secretScannerRules({ prefix })).toThrow(KeyfenceConfigurationError);
  });
});

/** Shannon's, in bits for each character, as gitleaks computes it. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / text.length) * Math.log2(count / text.length), 0);
}
