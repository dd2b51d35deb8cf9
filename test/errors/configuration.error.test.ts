import { HttpException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { isKeyfenceException } from '../../src/errors/refusal.exception.js';

describe('KeyfenceConfigurationError', () => {
  const error = new KeyfenceConfigurationError('apiKey.prefix', "is ''", 'Give a prefix.');

  it('names the option, the problem and the cure', () => {
    expect(error.message).toBe("Keyfence: apiKey.prefix is ''. Give a prefix.");
    expect(error).toMatchObject({
      name: 'KeyfenceConfigurationError',
      code: 'invalid_configuration',
      option: 'apiKey.prefix',
    });
  });

  it('is no answer to a caller', () => {
    expect(error).not.toBeInstanceOf(HttpException);
    expect(isKeyfenceException(error)).toBe(false);
  });
});
