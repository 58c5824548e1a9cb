/**
 * A program that shows parts of System from a process of its own: `deno run -A system_program.ts <act> <arguments>`.
 * The tests start it, signal it and kill it; compiled, it shows that the same works within the permission lists.
 */
import { createSystem } from "../../src/system/create_system.ts";
import { Failure } from "../../src/domain/failure.ts";
import type { SignalName } from "../../src/system/system.ts";

const system = createSystem();
const never = new AbortController().signal;
const say = (text: string) => system.print("stdout", `${text}\n`);
const [act = "", ...args] = Deno.args;

const ACTS: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Takes the lock and holds it until killed. */
  async lock() {
    say(await system.lock(args[0] ?? "") === null ? "not mine" : "mine");
    await system.sleep(60_000);
  },
  /** Says which signals came, until SIGTERM. */
  async signals() {
    const stop = new AbortController();
    const names: SignalName[] = ["SIGHUP", "SIGINT", "SIGTERM", "SIGBREAK"];
    system.onSignal(names, (name) => {
      say(name);
      if (name === "SIGTERM") stop.abort();
    });
    say("ready");
    await system.sleep(60_000, stop.signal);
  },
  async notify() {
    say(String(await system.notifyServiceManager(args[0] ?? "")));
  },
  home() {
    say(system.home);
    return Promise.resolve();
  },
  async runtime() {
    say(await system.runtimeFolder());
  },
  /** Leaves a child running and exits with 5. */
  async exit() {
    const child = await system.spawn({ program: "sleep", args: ["60"] }, never);
    say(String(child.pid));
    system.exit(5);
  },
  /** Whether a program is in our process group; one for a short look. */
  async groups() {
    const group = async (brief: boolean) =>
      (await system.run({ program: "sh", args: ["-c", "ps -o pgid= -p $$"], brief }, never)).stdout.trim();
    const ours = (await system.run({ program: "ps", args: ["-o", "pgid=", "-p", String(Deno.pid)] }, never)).stdout.trim();
    say(JSON.stringify([await group(false) === ours, await group(true) === ours]));
  },
  crash: () => Promise.resolve(system.crash()),
  terminal() {
    say(JSON.stringify([system.isTerminal("stdin"), system.isTerminal("stdout"), system.isTerminal("stderr"), system.columns()]));
    return Promise.resolve();
  },
  async echo() {
    for (let line = await system.readLine(); line !== null; line = await system.readLine()) say(`<${line}>`);
  },
  /** Prints more than a pipe holds. */
  flood() {
    for (let line = 0; line < 20_000; line++) say("0123456789".repeat(10));
    return Promise.resolve();
  },
  /** Gives up a program: whether it and another one can still be started, also from a Worker that was there before. */
  async giveUp() {
    const [program = "", other = ""] = args;
    const start = async (name: string) => {
      try {
        return String((await system.run({ program: name, args: ["--version"] }, never)).code);
      } catch (error) {
        return error instanceof Failure ? `${error.message}. ${error.hint}` : String(error);
      }
    };
    const before = [await start(program), await start(other)];
    // One that is not installed, and one that was never on the list.
    system.giveUp(["emacs", "no-such-program", program]);
    const path = await system.which(program) ?? "";
    say(JSON.stringify([...before, await start(program), await start(path), await start(other), system.gaveUp(path)]));
  },
  async walk() {
    const seen: string[] = [];
    for await (const { files, unreadable } of system.walk(args[0] ?? "", { recursive: true, skipHidden: true }, never)) {
      seen.push(...files.map(({ path }) => path), ...unreadable.map(({ path }) => `unreadable ${path}`));
    }
    say(JSON.stringify(seen.sort()));
  },
  async writers() {
    say(JSON.stringify([...await system.openForWriting(args, never) ?? ["cannot tell"]]));
  },
  async surroundings() {
    const { freeBytes } = await system.space(args[0] ?? "");
    const service = await system.embedded("service/image-transfer.service");
    const { rssBytes, cpuSeconds } = system.usage();
    const known = [
      freeBytes > 0,
      service.includes("[Service]"),
      rssBytes > 1e6,
      cpuSeconds > 0,
      system.hostname !== "",
      system.home !== "",
    ];
    say(JSON.stringify([system.compiled, ...known]));
  },
  async serve() {
    const stop = new AbortController();
    const { host, port, finished } = await system.listen(
      { host: "127.0.0.1", port: 0, handler: () => new Response("hello") },
      stop.signal,
    );
    say(await (await fetch(`http://${host}:${port}/`)).text());
    stop.abort();
    await finished;
  },
};

await ACTS[act]?.();
