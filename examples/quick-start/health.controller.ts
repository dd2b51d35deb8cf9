import { Controller, Get } from '@nestjs/common';
import { SkipApiKey } from 'nestjs-keyfence';

@Controller('health')
@SkipApiKey()
export class HealthController {
  @Get()
  check(): { status: string } {
    return { status: 'ok' };
  }
}
