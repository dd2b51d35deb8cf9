/** Settles as the promise does, or rejects after `milliseconds`. What the promise does later is ignored. */
export function withDeadline<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let settled = false;
    let timer: NodeJS.Timeout | undefined;
    const settle = (): void => {
      settled = true;
      clearTimeout(timer);
    };
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(
          error instanceof Error ? error : new Error('The store rejected with what is no error.', { cause: error }),
        );
      },
    );
    // A cache or a store in memory has answered by now, and a timer would cost as much as its answer.
    void Promise.resolve().then(() => {
      if (settled) return;
      timer = setTimeout(() => {
        reject(new Error(`No answer within ${milliseconds} ms.`));
      }, milliseconds);
    });
  });
}
