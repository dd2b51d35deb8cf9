import { ForbiddenException, HttpStatus } from '@nestjs/common';
import { refusalBody } from './refusal.exception.js';

/** 403: the key is valid and lacks a scope that the route requires. Names only what is missing, never what is held. */
export class InsufficientScopeException extends ForbiddenException {
  override readonly errorCode = 'insufficient_scope';

  constructor(readonly missing: string) {
    super(refusalBody(HttpStatus.FORBIDDEN, 'insufficient_scope', `The API key lacks: ${missing}.`));
  }
}

/** 403: the route declares no requirement, so nobody gets in. The boot log names the line to add. */
export class UndeclaredRouteException extends ForbiddenException {
  override readonly errorCode = 'undeclared_route';

  constructor() {
    super(refusalBody(HttpStatus.FORBIDDEN, 'undeclared_route', 'This route is not open to API keys.'));
  }
}

/** 403: a key was asked to give more than its own holder has. Names only what exceeds. */
export class GrantExceededException extends ForbiddenException {
  override readonly errorCode = 'grant_exceeded';

  constructor(excess: string) {
    super(refusalBody(HttpStatus.FORBIDDEN, 'grant_exceeded', `The grantor does not hold: ${excess}.`));
  }
}
