/**
 * Ctrl+C in the terminal where the daemon runs: the terminal tells every process of its foreground group, but only the daemon
 * is asked to end. What is on its way over ssh gets its time to finish; a second Ctrl+C ends all of it at once.
 */
import { assert, assertEquals } from "@std/assert";
import { theProgram } from "../support/daemon_process.ts";
import { needs } from "../support/needs.ts";
import { treeOf } from "../support/process_tree.ts";
import { until } from "../support/until.ts";
import { each, makeRig, type Rig } from "./rig.ts";

const SIZE = 6_000_000;
const CTRL_C = new Uint8Array([3]);

each(["rsync", "tar", "scp", "sftp"], "Ctrl+C in a terminal during a transfer: it comes to its end", async (method) => {
  await using rig = await makeRig({ method, proxy: { rate: 2_000_000 }, config: { shutdown_timeout_seconds: 60 } });
  await rig.expose("large.fits", SIZE);
  await using terminal = terminalOf(rig);
  await until(async () => await rig.staged() > 500_000, "a part of it is there");
  await terminal.type(CTRL_C);
  assertEquals(await terminal.ended, 0, terminal.output());
  await rig.allIsWell(await rig.installation.history());
}, "terminal");

Deno.test(
  "a second Ctrl+C in a terminal ends the daemon and its programs at once, and nothing is lost",
  needs("sshd", "rsync", "terminal"),
  async () => {
    await using rig = await makeRig({ method: "rsync", proxy: { rate: 100_000 }, config: { shutdown_timeout_seconds: 600 } });
    await rig.expose("large.fits", SIZE);
    await using terminal = terminalOf(rig);
    await until(async () => await rig.staged() > 100_000, "a part of it is there");
    const programs = await treeOf(terminal.pid);
    await terminal.type(CTRL_C);
    await rig.installation.untilLog(/Stopping/);
    assert((await treeOf(terminal.pid)).length > 4, "the transfer was cut by the first Ctrl+C");
    await terminal.type(CTRL_C);
    assertEquals(await terminal.ended, 130, terminal.output());
    await until(() => programs.every((pid) => !isAlive(pid)), "no program is left");
    const [row] = await rig.installation.history();
    assertEquals([row?.state, row?.attempts], ["sending", 0]);
  },
);

/** The daemon of an installation in a terminal of its own. */
function terminalOf(rig: Rig) {
  const { program, before } = theProgram();
  const line = [program, ...before, "run", "-c", rig.installation.configFile].map((word) => `'${word}'`).join(" ");
  const child = new Deno.Command("script", {
    args: ["--quiet", "--return", "--flush", "--command", `exec ${line}`, "/dev/null"],
    env: { ...rig.server?.env, NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const keyboard = child.stdin.getWriter();
  let output = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
      output += text;
    }
  })();
  let over = false;
  const ended = child.status.then(async ({ code }) => {
    over = true;
    await reading;
    return code;
  });
  return {
    pid: child.pid,
    ended,
    output: () => output,
    type: (keys: Uint8Array) => keyboard.write(keys),
    async [Symbol.asyncDispose]() {
      if (!over) child.kill("SIGKILL");
      await ended;
      await keyboard.close().catch(() => undefined);
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    // The state follows the name, which is in brackets: a zombie has ended.
    return !/\) Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
