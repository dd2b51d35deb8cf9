import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { BUILDS, filesIn, readText } from './package-files.js';

/** Syntax that a module may not have if `require()` is to load it, or CommonJS to say the same. */
function esmOnlySyntaxIn(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false, ts.ScriptKind.JS);
  const found: string[] = [];
  const visit = (node: ts.Node, insideFunction: boolean): void => {
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) found.push('import.meta');
    const awaits = ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined);
    if (awaits && !insideFunction) found.push('top-level await');
    const inside = insideFunction || ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node);
    ts.forEachChild(node, (child) => {
      visit(child, inside);
    });
  };
  visit(source, false);
  return found;
}

describe('the compiled code', () => {
  it.each(BUILDS)('holds nothing in dist/%s that require() cannot load', (build) => {
    const offenders = filesIn(`dist/${build}`, '.js').flatMap((file) =>
      esmOnlySyntaxIn(file, readText(file)).map((syntax) => `${file}: ${syntax}`),
    );
    expect(offenders).toEqual([]);
  });

  it.each([
    ['import.meta', 'const here = import.meta.url;'],
    ['top-level await', "const value = await import('x');"],
    ['top-level await', 'for await (const value of values) print(value);'],
  ])('would be caught with %s', (syntax, code) => {
    expect(esmOnlySyntaxIn('sample.js', code)).toEqual([syntax]);
  });

  it('may await in its functions', () => {
    expect(esmOnlySyntaxIn('sample.js', 'async function f() { for await (const x of y) await x; }')).toEqual([]);
  });
});

describe('the files of the package', () => {
  it.each(['src', 'dist/esm', 'dist/cjs'])('are plain ASCII in %s', (folder) => {
    const offenders = filesIn(folder, '.ts').flatMap((file) =>
      readText(file)
        .split('\n')
        .flatMap((line, index) => (isAscii(line) ? [] : [`${file}:${index + 1} ${line.trim()}`])),
    );
    expect(offenders).toEqual([]);
  });
});

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}
