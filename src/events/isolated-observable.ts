import { Observable, Subscriber, type Observer, type Operator, type Subscription } from 'rxjs';

type Listener<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/**
 * An observable whose listeners cannot disturb anybody: what a listener throws goes to `onError`, where rxjs would end the
 * process with an uncaught exception. So do errors of operators in a `pipe()` that has no error handler.
 */
export class IsolatedObservable<T> extends Observable<T> {
  constructor(
    private readonly onError: (error: unknown) => void,
    subscribe?: (subscriber: Subscriber<T>) => Subscription,
  ) {
    super(subscribe);
  }

  /* eslint-disable @typescript-eslint/no-deprecated -- the only way in rxjs 7 to make what `pipe()` derives from this isolated too */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const derived = new IsolatedObservable<R>(this.onError);
    derived.source = this;
    derived.operator = operator;
    return derived;
  }
  /* eslint-enable @typescript-eslint/no-deprecated */

  override subscribe(
    listener?: Listener<T>,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ) {
    // An operator, which hands errors on to whoever subscribed to it.
    if (listener instanceof Subscriber) return super.subscribe(listener);
    const { next, error: onError, complete: onComplete } = observerOf(listener, error, complete);
    const { onError: fallback } = this;
    return super.subscribe({
      next: isolated(fallback, next),
      error: onError === undefined ? fallback : isolated(fallback, onError),
      complete: isolated(fallback, onComplete),
    });
  }
}

function observerOf<T>(
  listener: Listener<T> | undefined,
  error: ((error: unknown) => void) | null | undefined,
  complete: (() => void) | null | undefined,
): Partial<Observer<T>> {
  if (typeof listener !== 'object' || listener === null) {
    return { next: listener ?? undefined, error: error ?? undefined, complete: complete ?? undefined };
  }
  return {
    next: listener.next?.bind(listener),
    error: listener.error?.bind(listener),
    complete: listener.complete?.bind(listener),
  };
}

function isolated<A extends unknown[]>(onError: (error: unknown) => void, run: ((...args: A) => void) | undefined) {
  return (...args: A): void => {
    try {
      const returned: unknown = run?.(...args);
      if (returned instanceof Promise) returned.catch(onError);
    } catch (error) {
      onError(error);
    }
  };
}
