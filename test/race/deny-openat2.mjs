// Takes openat2(2) from this process by a seccomp filter, as container runtimes and systemd units do:
//   KEYFENCE_DENY_OPENAT2=EPERM node --import ./test/race/deny-openat2.mjs program.mjs
import { constants } from 'node:os';
import koffi from 'koffi';

const SYS_OPENAT2 = 437;
const SYS_SECCOMP = { x64: 317, arm64: 277 }[process.arch];
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_SET_MODE_FILTER = 1;
/** Every thread of the process, not only this one. */
const SECCOMP_FILTER_FLAG_TSYNC = 1;

const LOAD_NUMBER = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const FAIL_WITH = 0x00050000;

const errno = constants.errno[process.env.KEYFENCE_DENY_OPENAT2];
if (errno === undefined || SYS_SECCOMP === undefined) throw new Error('KEYFENCE_DENY_OPENAT2 must name an errno.');

/** `struct sock_filter`: u16 code, u8 jump if true, u8 jump if false, u32 operand. */
function instruction(code, operand, ifTrue = 0, ifFalse = 0) {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(ifTrue, 2);
  bytes.writeUInt8(ifFalse, 3);
  bytes.writeUInt32LE(operand, 4);
  return bytes;
}

const filter = Buffer.concat([
  instruction(LOAD_NUMBER, 0),
  instruction(JUMP_IF_EQUAL, SYS_OPENAT2, 0, 1),
  instruction(RETURN, FAIL_WITH | errno),
  instruction(RETURN, ALLOW),
]);
/** `struct sock_fprog`: u16 length, padding, pointer. */
const program = Buffer.alloc(16);
program.writeUInt16LE(filter.length / 8, 0);
program.writeBigUInt64LE(koffi.address(filter), 8);

const process_ = koffi.load(null);
const prctl = process_.func(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
);
const syscall = process_.func('long syscall(long number, unsigned int operation, unsigned int flags, void *program)');
if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) !== 0) throw new Error(`prctl: errno ${koffi.errno()}`);
if (Number(syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program)) !== 0) {
  throw new Error(`seccomp: errno ${koffi.errno()}`);
}
