// Ends with 0 if `import` and `require` give the same classes in this project.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { KeyfenceModule, TenantContext } from 'nestjs-keyfence';

const required = createRequire(import.meta.url)('nestjs-keyfence');
assert.equal(required.KeyfenceModule, KeyfenceModule);
assert.equal(required.TenantContext, TenantContext);
