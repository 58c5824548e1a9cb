/**
 * The five documents' own command lines and configurations, end to end: each line is run by a shell as it is written, against the real
 * program, real folders and a real sshd. Only what names another host or another place of this one is adapted.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { theProgram } from "../../support/daemon_process.ts";
import { fitsFile } from "../../support/fits_maker.ts";
import { has } from "../../support/needs.ts";
import { startSshd } from "../../support/sshd.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { until } from "../../support/until.ts";
import { blocks, LINES, listed } from "./documents.ts";

const isWindows = Deno.build.os === "windows";

/** A computer of an observer: a home folder, and the program under the names of the documents. */
interface Site extends AsyncDisposable {
  readonly home: TempFolder;
  /** Runs a line as it is written, after `adapt`; checks its exit code and gives what it printed. */
  run(document: number, line: string, options?: RunOptions): Promise<string>;
  /** Starts a line that stays in the foreground, waits until it has started, and ends it by `end`, or by SIGTERM. */
  foreground(document: number, line: string, options: ForegroundOptions): Promise<string>;
  /** The lines run so far. */
  readonly done: Set<string>;
}

interface RunOptions {
  readonly code?: number;
  readonly adapt?: (line: string) => string;
}

interface ForegroundOptions {
  readonly adapt?: (line: string) => string;
  /** What is done while it runs. */
  readonly meanwhile: () => Promise<unknown>;
  /** Another line ends it. */
  readonly endsItself?: true;
}

async function site(env: Readonly<Record<string, string>> = {}): Promise<Site> {
  const home = await tempFolder();
  const own = theProgram();
  const call = [own.program, ...own.before].map((word) => `'${word}'`).join(" ");
  for (const name of ["image-transfer", "image-transfer-service", "sync-daemon"]) {
    await Deno.chmod(await home.write(`bin/${name}`, `#!/bin/sh\nexec ${call} "$@"\n`), 0o755);
  }
  const done = new Set<string>();
  const denoDir = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const shell = (line: string) =>
    new Deno.Command("bash", {
      args: ["-c", line],
      cwd: home.path,
      env: { ...env, HOME: home.path, PATH: `${home.at("bin")}:${Deno.env.get("PATH")}`, DENO_DIR: denoDir, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  const told = (document: number, line: string, { adapt }: Pick<RunOptions, "adapt">) => {
    done.add(`${document} ${line}`);
    // Whoever runs the tests is the account: no password is asked.
    return (adapt?.(line) ?? line).replace(/^sudo /, "");
  };
  return {
    home,
    done,
    async run(document, line, options = {}) {
      const { code, stdout, stderr } = await shell(told(document, line, options)).output();
      const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      assertEquals(code, options.code ?? 0, `${line}\n${printed}`);
      return printed;
    },
    async foreground(document, line, options) {
      await using child = shell(`exec ${told(document, line, options)}`);
      let printed = "";
      const reading = Promise.all([child.stdout, child.stderr].map(async (stream) => {
        for await (const text of stream.pipeThrough(new TextDecoderStream())) printed += text;
      }));
      try {
        await until(() => / Watching /.test(printed), `${line}: starts`, 60, () => printed);
        await options.meanwhile();
        if (!options.endsItself) child.kill("SIGTERM");
      } catch (error) {
        child.kill("SIGKILL");
        throw error;
      }
      assertEquals((await child.status).code, 0, `${line}\n${printed}`);
      await reading;
      return printed;
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

function isThere(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}

/** The configurations of a document, each beginning with `first`. */
async function configuration(document: string, language: string, contains: string): Promise<string> {
  const found = (await blocks()).filter((block) =>
    block.document === document && block.language === language && block.text.includes(contains)
  );
  assertEquals(found.length, 1, contains);
  return found[0]!.text;
}

/** From source, the program is called deno. */
function fromSource(line: string): string {
  return line.replace(/grep .*/, "grep -e image-transfer -e main.ts");
}

type Ten = [string, string, string, string, string, string, string, string, string, string];

/** Nothing is installed on the computer that tests; root says which account the service is for, as sudo would. */
function planned(config: string): (line: string) => string {
  const account = Deno.uid() === 0 ? " --run-as nobody" : "";
  return (line) => `${line} --dry-run --config ${config}${account}`;
}

/** What a test computer lacks: gigabytes, and a port that nobody else has. */
const SMALL = "minimum_free_space_gb: 0\ncopy_safety_margin_gb: 0\nweb: false\n";

Deno.test(
  "document 1: its command lines, from the first configuration to the statistics of the log",
  { ignore: isWindows },
  async () => {
    await using it = await site();
    const { home, run, foreground } = it;
    assertStringIncludes(await run(1, "image-transfer --help"), "--create-config");
    const config = home.at(".config/image-transfer/config.yaml");
    assertStringIncludes(await run(1, "image-transfer --create-config"), `Wrote ${config}`);

    await home.write(".config/image-transfer/config.yaml", await configuration("1", "yaml", "transfer_method: local") + SMALL);
    const image = async (name: string) => {
      await Deno.mkdir(home.at("camera/raw/20261120"), { recursive: true });
      await Deno.writeFile(home.at(`camera/raw/20261120/${name}`), fitsFile(30_000));
    };
    const arrives = (name: string) => async () => {
      await image(name);
      const path = home.at(`processing/inbox/20261120/${name}`);
      await until(() => isThere(path), `${name} arrives`);
    };
    await image("first.fits");
    assertStringIncludes(await run(1, "image-transfer --dry-run"), `${home.at("camera/raw/20261120/first.fits")} -> local `);
    assertEquals(await isThere(home.at("processing/inbox/20261120/first.fits")), false);
    assertMatch(await foreground(1, "image-transfer -v", { meanwhile: arrives("second.fits") }), / DEBUG /);
    await foreground(1, "image-transfer", { meanwhile: arrives("third.fits") });
    await Deno.rename(config, home.at("elsewhere.yaml"));
    await foreground(1, "image-transfer -c /path/to/config.yaml", {
      adapt: (line) => line.replace("/path/to/config.yaml", home.at("elsewhere.yaml")),
      async meanwhile() {
        assertStringIncludes(await run(1, "ps aux | grep image-transfer", { adapt: fromSource }), "elsewhere.yaml");
        await arrives("fourth.fits")();
      },
    });

    await Deno.rename(home.at("elsewhere.yaml"), config);
    const dry = planned(config);
    for (const line of ["image-transfer-service --install", "sudo image-transfer-service --install"]) {
      assertMatch(await run(1, line, { adapt: dry }), /image-transfer\.service|com\.observatory\.imagetransfer\.plist/);
    }
    for (const line of ["image-transfer-service --uninstall", "sudo image-transfer-service --uninstall"]) {
      await run(1, line, { adapt: (line) => `${line} --dry-run` });
    }

    const [tail, follow, good, bad, today, head, total, failed, todays, paths] = LINES.run[1].slice(-10) as string[] as Ten;
    const images = ["first", "second", "third", "fourth"].map((name) => home.at(`camera/raw/20261120/${name}.fits`)).sort();
    assertEquals((await run(1, tail)).split("\n").filter((line) => line.includes("Successfully transferred")).length, 4);
    assertStringIncludes(await run(1, follow, { adapt: (line) => `timeout 1 ${line}`, code: 124 }), "Stopped");
    assertEquals((await run(1, good)).trim().split("\n").length, 4);
    assertEquals(await run(1, bad, { code: 1 }), "");
    assertEquals((await run(1, today)).trim(), "4");
    assertEquals(await run(1, head), "=== Transfer Statistics ===\n");
    assertEquals(await run(1, total), "Total transfers: 4\n");
    assertEquals(await run(1, failed), "Failed transfers: 0\n");
    assertMatch(await run(1, todays), /^Today's transfers: +4\n$/);
    assertEquals((await run(1, paths)).trim().split("\n").sort(), images);
    assertEquals(listed({ 1: LINES.run[1] }).filter((line) => !it.done.has(line)), []);
  },
);

for (
  const [contains, method, watched] of [
    ["retry_attempts: 3", "scp", "C:/Users/Observer/data/images"],
    ["transfer_method: rsync", "rsync", "~/telescope/images"],
  ] as const
) {
  Deno.test(`document 1: its example for ${method} delivers to a sshd, with its patterns and timeouts`, {
    ignore: isWindows || !has("sshd") || method === "rsync" && !has("rsync"),
  }, async () => {
    await using server = await startSshd();
    await using it = await site(server.env);
    const { home, run } = it;
    const example = (await configuration("1", "yaml", contains))
      .replace(watched, watched.startsWith("~") ? watched : home.at("data/images"))
      .replace(/remote_host: .*/, `remote_host: ${server.host}`).replace(/remote_user: .*/, `remote_user: ${server.user}`)
      .replace(/remote_base_path: .*/, `remote_base_path: ${home.at("remote")}`);
    const timeout = await configuration("1", "yaml", "transfer_timeout_seconds");
    await home.write(".config/image-transfer/config.yaml", example + timeout + SMALL);
    const folder = watched.startsWith("~") ? home.at("telescope/images") : home.at("data/images");
    await Deno.mkdir(`${folder}/20261120`, { recursive: true });
    await Deno.writeFile(`${folder}/20261120/m31.fits`, fitsFile(30_000));
    await run(1, "image-transfer", { adapt: (line) => `${line} --once` });
    assertEquals(await Deno.readFile(home.at("remote/20261120/m31.fits")), fitsFile(30_000));
  });
}

Deno.test("document 1: its other configurations are valid, with the settings that they name", { ignore: isWindows }, async () => {
  await using it = await site();
  const basic = "# ~/.config/image-transfer/config.yaml";
  const all = (await blocks()).filter(({ document, language }) => document === "1" && language === "yaml");
  assertEquals(all.length, 6);
  for (const { text } of all) {
    const isWhole = text.includes("watch_path");
    const rest = "watch_path: ~/images\nremote_host: freya\nremote_base_path: /data\n";
    await it.home.write(".config/image-transfer/config.yaml", isWhole ? text : text + rest);
    const shown = await it.run(1, "image-transfer", { adapt: (line) => `${line} config show --json` });
    const [job] = JSON.parse(shown).jobs;
    if (text.includes(basic)) assertEquals(job.destinations[0].retry_attempts, 3);
    if (text.includes('"*.fit"') && !isWhole) assertEquals(job.file_patterns, ["*.fits", "*.FIT", "*.fit"]);
    if (text.includes("transfer_timeout")) assertEquals(job.destinations[0].transfer_timeout_seconds, 300);
  }
});

/** Its places, in the folder of the test. */
function placed(toml: string, home: TempFolder): string {
  return toml.replaceAll("/home/user/", home.at("home/")).replaceAll('"/backup/', `"${home.at("backup/")}`)
    .replaceAll("/var/", home.at("var/"));
}

const NO_POCKETBASE = /^\[pocketbase\]\n(?:.+\n)*/m;
const SMALL_TOML = "min_file_age_seconds = 0.2\nminimum_free_space_gb = 0\ncopy_safety_margin_gb = 0\nweb = false\n";

Deno.test(
  "document 2: its command lines and its TOML, from the first configuration to restart and stop",
  { ignore: isWindows },
  async () => {
    await using it = await site();
    const { home, run, foreground } = it;
    const [pocketbase, windows, linux, mine, uninstall, generate, generateOther, validate, show, ...daemon] = LINES.run[2];
    const [start, debug, named, status, stop, restart] = daemon;
    for (const line of [generate, generateOther]) await run(2, line);
    assertStringIncludes(await home.read("sync-daemon.toml"), "# Configuration of image-transfer.");
    assertEquals(await home.read("config.toml"), await home.read("sync-daemon.toml"));

    const example = placed(await configuration("2", "toml", "[pocketbase]"), home);
    const config = home.at(".config/image-transfer/config.toml");
    await home.write(".config/image-transfer/config.toml", example);
    await home.write(".config/image-transfer/config.toml", SMALL_TOML + example);
    const valid = await run(2, validate);
    assertStringIncludes(valid, `documents: ${home.at("home/Documents")} → local (local ${home.at("backup/Documents")})`);
    for (const key of ["config_cache_ttl_secs", "file_metadata_cache_ttl_secs", "enable_persistent_cache"]) {
      assertStringIncludes(valid, `Note: "${key}" has no effect`);
    }
    assertStringIncludes(await run(2, show), "rescan_interval: 5m");

    const dry = planned(config);
    for (
      const [line, unit, about] of [
        [windows, "SyncDaemon", "File Sync Daemon"],
        [linux, "sync-daemon", "File Sync Daemon"],
        [mine, "my-sync", "My Sync Service"],
      ] as const
    ) {
      const plan = await run(2, line, { adapt: dry });
      assertMatch(plan, new RegExp(`# write \\S*/${unit}\\.(service|plist)`));
      assertStringIncludes(plan, about);
    }
    assertStringIncludes(await run(2, uninstall), 'There is no service "my-sync"');

    const copied = (name: string) => async () => {
      await home.write(`home/Documents/${name}`, name);
      await until(() => isThere(home.at(`backup/Documents/${name}`)), `${name} arrives`);
    };
    for (const folder of ["home/Documents", "var/run"]) await Deno.mkdir(home.at(folder), { recursive: true });
    await foreground(2, start, {
      async meanwhile() {
        await copied(".hidden")();
        assertEquals((await home.read("var/run/sync-daemon.pid")).trim().length > 0, true);
        assertMatch(await run(2, status), /^All is well/);
      },
    });
    assertMatch(await home.read("var/log/sync-daemon.log"), /INFO Successfully transferred \S+\.hidden\n/);
    await foreground(2, pocketbase, {
      adapt: (line) => line.replace("./target/release/", "").replace("8090", "9"),
      async meanwhile() {
        await copied("jobs of the file.txt")();
        await until(async () => /127\.0\.0\.1:9|localhost:9/.test(await home.read("var/log/sync-daemon.log")), "it is asked");
      },
    });
    assertMatch(await foreground(2, debug, { meanwhile: copied("b.txt") }), / DEBUG /);
    await run(2, status, { code: 4 });

    await Deno.rename(config, home.at("other.toml"));
    const here = (line: string) =>
      line.includes("/path/to")
        ? line.replace("/path/to/config.toml", home.at("other.toml"))
        : `${line} --config ${home.at("other.toml")}`;
    await foreground(2, named, {
      adapt: here,
      endsItself: true,
      async meanwhile() {
        // Ends the first one, and takes its place.
        await foreground(2, restart, {
          adapt: here,
          endsItself: true,
          async meanwhile() {
            await copied("c.tmp.txt")();
            assertStringIncludes(await run(2, stop, { adapt: here }), "Stopped");
          },
        });
      },
    });
    assertEquals(listed({ 2: LINES.run[2] }).filter((line) => !it.done.has(line)), []);
  },
);

Deno.test("document 2: each of its schedules is valid, dry_run sends nothing, and its common cron expressions are known", {
  ignore: isWindows,
}, async () => {
  await using it = await site();
  const { home, run } = it;
  const example = placed(await configuration("2", "toml", "[pocketbase]"), home).replace(NO_POCKETBASE, "")
    .replace(/\[\[file_watchers\]\]\n(?:.+\n)*/, "");
  const schedule = /\[sync_jobs\.schedule\]\n(?:.+\n)*/;
  assertMatch(example, schedule);
  const snippets = (await blocks()).filter(({ document, language, text }) =>
    document === "2" && language === "toml" && text.startsWith("[sync_jobs.schedule]")
  );
  assertEquals(snippets.length, 3);
  const document = await Deno.readTextFile(new URL("2-sync-daemon-pocketbase.md", import.meta.url));
  const crons = [...document.matchAll(/^- `([^`]+ [^`]+)` - /gm)].map(([, cron]) =>
    `[sync_jobs.schedule]\ntype = "cron"\nexpression = "${cron}"\n`
  );
  assertEquals(crons.length, 4);
  const files = await Promise.all(
    [...snippets.map(({ text }) => text), ...crons].map((text, nth) =>
      home.write(`${nth}.toml`, SMALL_TOML + example.replace(schedule, text))
    ),
  );
  const checks = files.map((file) => `image-transfer config validate -c ${file}`).join(" && ");
  await run(2, "all", { adapt: () => checks });

  await home.write("home/Documents/a.txt", "alpha");
  const dry = example.replace("dry_run = false", "dry_run = true");
  assert(dry !== example);
  await home.write("dry.toml", SMALL_TOML + dry);
  const printed = await run(2, "dry", { adapt: () => `image-transfer run --once -c ${home.at("dry.toml")}` });
  assertStringIncludes(printed, `Dry run: ${home.at("home/Documents/a.txt")} would be sent to local`);
  assertStringIncludes(printed, "job documents is a dry run (dry_run): nothing is sent");
  assertEquals([await isThere(home.at("backup/Documents")), printed.includes("Successfully")], [false, false]);
  await home.write("dry.toml", SMALL_TOML + example);
  await run(2, "real", { adapt: () => `image-transfer run --once -c ${home.at("dry.toml")}` });
  assertEquals(await home.read("backup/Documents/a.txt"), "alpha");
});

Deno.test(
  "documents 3 and 4: their PID file, log and schedule, with the daemon ended by its PID",
  { ignore: isWindows },
  async () => {
    await using it = await site();
    const { home, run } = it;
    const python = (await blocks()).filter(({ document, language }) => document === "4" && language === "python").map((
      { text },
    ) => text)
      .join("");
    const hours = /interval_hours=(\d+)/.exec(python)?.[1];
    const place = (line: string) => line.replaceAll("/var/", home.at("var/"));
    await home.write(
      ".config/image-transfer/config.yaml",
      `${SMALL}watch_path: ${
        home.at("watch")
      }\nfile_patterns: ["*.txt"]\nmin_file_age_seconds: 0\nrecursive: false\nremote_base_path: ${home.at("out")}
transfer_method: local\nfile_mode: "0664"\ndirectory_mode: "0775"\ncooldown_seconds: 5\nschedule: { interval_hours: ${hours} }
pid_file: ${home.at("var/run/ftpmonitor.pid")}\nlog_file: ${home.at("var/log/ftpmonitor.log")}\n`,
    );
    await Deno.mkdir(home.at("var/run"), { recursive: true });
    await home.write("watch/a.txt", "alpha");
    const lines = LINES.run[3];
    const [ps, cat, tail, pid, log, kill] = lines;
    await it.foreground(3, "image-transfer", {
      endsItself: true,
      async meanwhile() {
        await until(() => isThere(home.at("out/a.txt")), "a.txt arrives");
        assertMatch(await run(3, cat, { adapt: place }), /^\d+\n?$/);
        await run(3, pid, { adapt: place });
        await run(3, log, { adapt: place });
        assertStringIncludes(
          await run(3, ps, { adapt: fromSource }),
          "image-transfer",
        );
        await run(3, kill, { adapt: (line) => place(line.replace("sudo ", "")) });
        await until(async () => !await isThere(home.at("var/run/ftpmonitor.pid")), "it is ended");
      },
    });
    const text = await run(3, tail, { adapt: (line) => `timeout 1 ${place(line)}`, code: 124 });
    assertMatch(text, /Run of job default started by its schedule/);
    assertMatch(text, /Stopped\n$/);
    assertEquals((await Deno.stat(home.at("out/a.txt"))).mode! & 0o777, 0o664);
    assertEquals(listed({ 3: lines }).filter((line) => !it.done.has(line)), []);
  },
);
