/** Needs `TenantContext`, which it takes from its own `require('nestjs-keyfence')`. */
export declare class TenantNames {
  current(): string;
}
