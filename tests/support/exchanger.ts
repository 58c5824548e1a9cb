/**
 * A process that exchanges two names without a pause, as an attacker does: renameat2(RENAME_EXCHANGE).
 *
 * @module
 */

/** The program; `uid` null stays this account. Runs until it is killed. */
const PROGRAM = `
import ctypes, os, sys, time
a, b, uid, pause = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3], float(sys.argv[4])
if uid != "": os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid))
libc = ctypes.CDLL(None, use_errno=True)
def exchange():
    if libc.renameat2(-100, a, -100, b, 2) != 0: raise OSError(ctypes.get_errno(), "renameat2")
exchange(); exchange()
os.write(1, b"ready")
while True:
    exchange()
    if pause: time.sleep(pause)
`;

/** Exchanges until it is disposed of. Resolves when it has begun. */
export async function exchanging(
  a: string,
  b: string,
  { uid = null, pauseSeconds = 0 }: { readonly uid?: number | null; readonly pauseSeconds?: number } = {},
): Promise<AsyncDisposable> {
  const child = new Deno.Command("python3", {
    args: ["-c", PROGRAM, a, b, uid === null ? "" : String(uid), String(pauseSeconds)],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  await reader.cancel();
  if (done) throw new Error("The names cannot be exchanged");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}
