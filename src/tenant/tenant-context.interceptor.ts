import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { runWithCarrier } from './async-context.js';
import { carrierOf } from './call.js';

/** Makes `TenantContext.current()` work in the handlers of a WebSocket gateway or an RPC controller. HTTP does not need it. */
@Injectable()
export class TenantContextInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const carrier = carrierOf(context);
    return carrier === undefined ? next.handle() : runWithCarrier(carrier, () => next.handle());
  }
}
