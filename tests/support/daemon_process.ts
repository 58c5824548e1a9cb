/**
 * The real daemon as a process of its own, with its configuration, state and log in a temporary folder: what the
 * fault tests kill, stop and start again. `IMAGE_TRANSFER_BINARY` names a compiled program to use in place of the source.
 */
import { fromFileUrl, join } from "@std/path";
import { readLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { V8_FLAGS } from "../build/v8_flags.ts";
import { farRollover } from "./far_rollover.ts";
import { tempFolder } from "./temp.ts";
import { type DeliveryJson, deliveryJson } from "../../src/reports/delivery/delivery_json.ts";

export interface ProcessResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An installation: one configuration and state folder, in which the program is started as often as a test likes. */
export interface Installation {
  readonly configFile: string;
  readonly stateFolder: string;
  readonly logFile: string;
  /** Starts `run` and waits until it watches (or, with `wait: false`, not at all). */
  start(
    options?: {
      readonly env?: Readonly<Record<string, string>>;
      readonly args?: readonly string[];
      readonly wait?: boolean;
      /** A program that starts the daemon: `["prlimit", "--nofile=100"]`. */
      readonly through?: readonly string[];
    },
  ): Promise<RunningDaemon>;
  /** Runs one command to its end; `through` as for `start`. */
  command(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
    through?: readonly string[],
  ): Promise<ProcessResult>;
  /** Starts a command that is not waited for. */
  launch: (...args: Parameters<Installation["command"]>) => RunningCommand;
  history(): Promise<DeliveryJson[]>;
  /** Waits until `done` holds for the history; throws with the last history and the log when it does not in time. */
  until(done: (rows: readonly DeliveryJson[]) => boolean, seconds?: number): Promise<DeliveryJson[]>;
  /** The log so far, empty if there is none. */
  log(): Promise<string>;
  /** Waits until the log (all of it, or from `from` characters on) holds this; gives the log. */
  untilLog(pattern: RegExp, from?: number, seconds?: number): Promise<string>;
}

interface RunningCommand extends AsyncDisposable {
  kill(signal: Deno.Signal): void;
  readonly ended: Promise<ProcessResult>;
}

export interface RunningDaemon extends AsyncDisposable {
  readonly pid: number;
  kill(signal: Deno.Signal): void;
  /** Waits for its end; 137 after SIGKILL. */
  readonly ended: Promise<number>;
  /** SIGTERM, then its end. */
  stop(): Promise<number>;
  output(): string;
}

/** Writes the configuration (keys as in `config.yaml`; JSON is YAML) into `folder`. */
export async function install(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  const stateFolder = join(folder, "state");
  const logFolder = join(folder, "logs");
  const configFile = join(folder, "config.yaml");
  const own = { state_directory: stateFolder, log_directory: logFolder, log_level: "DEBUG", web: false };
  const defaults = { ...own, night_rollover: farRollover(Date.now()) };
  await Deno.writeTextFile(configFile, JSON.stringify({ ...defaults, ...config }, null, 2));

  function spawn(
    args: readonly string[],
    more: Readonly<Record<string, string>>,
    through: readonly string[] = [],
  ): Deno.ChildProcess {
    const own = theProgram();
    const [program = own.program, ...before] = [...through, own.program, ...own.before];
    return new Deno.Command(program, {
      args: [...before, ...args],
      env: { HOME: folder, DENO_DIR: packageCache(), ...env, ...more, IMAGE_TRANSFER_CONFIG: configFile, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  function launch(
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
    through: readonly string[] = [],
  ): RunningCommand {
    const child = spawn(args, more, through);
    let over = false;
    const ended = child.output().then(({ code, stdout, stderr }) => {
      over = true;
      return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
    });
    const kill = (signal: Deno.Signal) => {
      if (!over) child.kill(signal);
    };
    return {
      kill,
      ended,
      async [Symbol.asyncDispose]() {
        kill("SIGKILL");
        await ended;
      },
    };
  }

  const command: Installation["command"] = (...args) => launch(...args).ended;

  async function log(): Promise<string> {
    try {
      return await Deno.readTextFile(join(logFolder, "image_transfer.log"));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }

  // As `history --json` prints it, without the price of a process each time.
  // deno-lint-ignore require-await -- as commands are: a rejection, never a throw
  async function history(): Promise<DeliveryJson[]> {
    using ledger = readLedger(stateFolder);
    return ledger.query({}).map(deliveryJson);
  }

  return {
    configFile,
    stateFolder,
    logFile: join(logFolder, "image_transfer.log"),
    command,
    launch,
    history,
    log,
    async untilLog(pattern, from = 0, seconds = 30) {
      const deadline = Date.now() + seconds * 1000;
      for (;;) {
        const text = await log();
        if (pattern.test(text.slice(from))) return text;
        if (Date.now() > deadline) throw new Error(`the log does not come to ${pattern} in ${seconds} s:\n${text.slice(-6000)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async start(options = {}) {
      const child = spawn(["run", ...options.args ?? []], options.env ?? {}, options.through);
      let output = "";
      const collect = async (stream: ReadableStream<Uint8Array>) => {
        for await (const text of stream.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
          output += text;
        }
      };
      const streams = Promise.all([collect(child.stdout), collect(child.stderr)]);
      const ended = child.status.then(async ({ code }) => {
        await streams;
        return code;
      });
      let over = false;
      void ended.then(() => over = true);
      const kill = (signal: Deno.Signal) => {
        if (!over) child.kill(signal);
      };
      if (options.wait ?? true) {
        const deadline = Date.now() + 30_000;
        while (!/ Watching /.test(output)) {
          if (over || Date.now() > deadline) throw new Error(`the daemon does not come up:\n${output}`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
      const stop = () => {
        kill("SIGTERM");
        return ended;
      };
      return {
        pid: child.pid,
        kill,
        ended,
        stop,
        output: () => output,
        async [Symbol.asyncDispose]() {
          kill("SIGCONT");
          kill("SIGKILL");
          await ended;
        },
      };
    },
    async until(done, seconds = 30) {
      const deadline = Date.now() + seconds * 1000;
      for (;;) {
        const rows = await history();
        if (done(rows)) return rows;
        if (Date.now() > deadline) {
          throw new Error(`not in ${seconds} s:\n${JSON.stringify(rows.slice(0, 20), null, 1)}\n${(await log()).slice(-6000)}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
  };
}

/** An installation that copies `data` to `nas`, in a folder of its own that the caller disposes of. */
export async function dataToNas(
  changes: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string>> = {},
) {
  const folder = await tempFolder();
  await Deno.mkdir(folder.at("data"));
  const program = await install(folder.path, {
    watch_path: folder.at("data"),
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    min_file_age_seconds: 0.2,
    ...changes,
  }, env);
  return { folder, program };
}

/** Where Deno keeps packages: with another HOME the program would load them all anew. */
function packageCache(): string {
  const given = Deno.env.get("DENO_DIR");
  if (given) return given;
  if (Deno.build.os === "windows") return join(Deno.env.get("LOCALAPPDATA") ?? "", "deno");
  const home = Deno.env.get("HOME") ?? "";
  return Deno.build.os === "darwin"
    ? join(home, "Library/Caches/deno")
    : join(Deno.env.get("XDG_CACHE_HOME") ?? join(home, ".cache"), "deno");
}

/** How the program is called: the compiled one where it is named, else its source. */
export function theProgram(): { program: string; before: string[] } {
  const binary = Deno.env.get("IMAGE_TRANSFER_BINARY");
  if (binary) return { program: binary, before: [] };
  const main = fromFileUrl(new URL("../../main.ts", import.meta.url));
  return {
    program: Deno.execPath(),
    before: [
      "run",
      "--quiet",
      "--no-check",
      V8_FLAGS,
      "--allow-all",
      "--config",
      fromFileUrl(new URL("../../deno.json", import.meta.url)),
      main,
    ],
  };
}
