import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Subscriber } from 'rxjs';
import type { TenantId } from '../../src/principal/tenant-id.js';
import type { KeyfenceEvent } from '../../src/events/keyfence-event.js';
import { EVENT_CHANNEL, KeyfenceEvents } from '../../src/events/keyfence-events.service.js';
import { CapturedLog } from '../support/captured-log.js';

const EVENT: KeyfenceEvent = { type: 'keys_pruned', at: new Date(0), actor: 'system', count: 1 };

let log: CapturedLog;

beforeEach(() => {
  log = new CapturedLog();
  Logger.overrideLogger(log);
});

afterEach(() => {
  Logger.overrideLogger(false);
});

describe('an event', () => {
  it('is not made while nobody listens', () => {
    const make = jest.fn(() => EVENT);
    const events = new KeyfenceEvents();
    events.emit(make);
    expect(make).not.toHaveBeenCalled();
    events.stream.subscribe();
    events.emit(make);
    expect(make).toHaveBeenCalledTimes(1);
  });

  it('goes to the stream of its application and to the diagnostics channel, frozen', () => {
    const [ours, others, published]: KeyfenceEvent[][] = [[], [], []];
    const onMessage = (message: unknown): void => void published?.push(message as KeyfenceEvent);
    const [events, another] = [new KeyfenceEvents(), new KeyfenceEvents()];
    events.stream.subscribe((event) => ours?.push(event));
    another.stream.subscribe((event) => others?.push(event));
    subscribe(EVENT_CHANNEL, onMessage);
    try {
      events.emit(() => ({ ...EVENT }));
    } finally {
      unsubscribe(EVENT_CHANNEL, onMessage);
    }
    expect([ours, others, published]).toEqual([[EVENT], [], [EVENT]]);
    expect(Object.isFrozen(ours?.[0])).toBe(true);
  });

  it('is followed by the end when the application ends', () => {
    const complete = jest.fn();
    const events = new KeyfenceEvents();
    events.stream.subscribe({ complete });
    events.onApplicationShutdown();
    expect(complete).toHaveBeenCalledTimes(1);
  });
});

it('an event cannot be changed by one listener before the next', () => {
  const events = new KeyfenceEvents();
  const frozen: boolean[] = [];
  events.stream.subscribe((event) => frozen.push('key' in event && Object.isFrozen(event.key)));
  const key = { tenantId: 'acme' as TenantId, keyId: 'key_1' };
  events.emit(() => ({
    type: 'access_denied',
    at: new Date(0),
    errorCode: 'invalid_api_key',
    reason: 'revoked',
    key,
  }));
  expect(frozen).toEqual([true]);
});

it('a ready-made subscriber that throws, which rxjs does not guard, disturbs nobody', () => {
  const events = new KeyfenceEvents();
  events.stream.subscribe(
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the case
    new Subscriber<KeyfenceEvent>({
      next: () => {
        throw new TypeError('with a secret');
      },
    } as unknown as Subscriber<KeyfenceEvent>),
  );
  expect(() => {
    events.emit(() => EVENT);
  }).not.toThrow();
});

it('a listener that throws is logged by the class of its error, and by nothing that it says', () => {
  const events = new KeyfenceEvents();
  events.stream.subscribe(() => {
    throw new TypeError('with a secret');
  });
  expect(() => {
    events.emit(() => EVENT);
  }).not.toThrow();
  expect(log.textOf('error')).toContain('TypeError');
  expect(log.textOf()).not.toContain('with a secret');
});
