// What a CommonJS library compiles to that has Keyfence as a peer. In an ESM application it must get the same classes as
// the application, or Nest cannot resolve the dependency.
const { Injectable } = require('@nestjs/common');
const { TenantContext } = require('nestjs-keyfence');

class TenantNames {
  constructor(context) {
    this.context = context;
  }

  current() {
    return `tenant ${this.context.current().tenantId}`;
  }
}

Reflect.defineMetadata('design:paramtypes', [TenantContext], TenantNames);
Injectable()(TenantNames);

exports.TenantNames = TenantNames;
