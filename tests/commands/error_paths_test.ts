/**
 * Places that cannot be read or written, and Ctrl+C: a sentence with the place and the reason and the promised exit code, never
 * "Internal error". As root may write everywhere, the places are such as nobody can write to.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { failureText } from "../../src/commands/text/failure_text.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { anAdmission, deliveryOf, NOW, proven } from "../ledger/makers.ts";
import { dataToNas, install, theProgram } from "../support/daemon_process.ts";
import { has, needs } from "../support/needs.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { startSshd } from "../support/sshd.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { called, springConfig, testTools } from "../support/tools.ts";

const isLinux = Deno.build.os === "linux";

/** Runs a command as `main.ts` does, in this process. */
async function image_transfer(dir: TempFolder, ...words: string[]) {
  const tools = testTools(dir.path);
  try {
    const { code, stderr } = await called(words, tools);
    return { code, text: stderr };
  } catch (thrown) {
    const { text, code } = failureText(thrown);
    return { code, text: tools.printed.stderr + text };
  }
}

/** A name that no file system takes. */
const TOO_LONG = "x".repeat(300);

for (
  const [place, reason] of [
    ["file/c.yaml", "a file has that name"],
    [TOO_LONG, "name too long"],
    ["loop", "symbolic links"],
    ["/proc/c.yaml", "No such file or directory"],
    ["/dev/null", "it is a device or a pipe"],
    [".", "it is a folder"],
  ] as const
) {
  for (const words of [["init", "-y", "--force", "-o"], ["config", "generate", "--force", "-o"]]) {
    const name = place === TOO_LONG ? "xxx…" : place;
    Deno.test(`${words.join(" ")} ${name} says why it cannot be written: exit 2`, { ignore: !isLinux }, async () => {
      await using dir = await tempFolder();
      await dir.write("file", "");
      await Deno.symlink("loop", dir.at("loop"));
      const { code, text } = await image_transfer(dir, ...words, place);
      assertEquals(code, 2, text);
      assertMatch(text, /^Cannot write the configuration "/);
      assertStringIncludes(text.toLowerCase(), reason.toLowerCase());
    });
  }
}

for (const place of [TOO_LONG, "loop", "file/c.yaml", ".", "/proc/self/mem", "/dev/zero", ""]) {
  Deno.test(
    `-c ${place === TOO_LONG ? "xxx…" : JSON.stringify(place)} says why it cannot be read: exit 2`,
    { ignore: !isLinux },
    async () => {
      await using dir = await tempFolder();
      await dir.write("file", "");
      await Deno.symlink("loop", dir.at("loop"));
      for (const command of ["run", "doctor", "verify", "restart"]) {
        const { code, text } = await image_transfer(dir, command, "-c", place);
        assertEquals(code, 2, text);
        assertMatch(text, /^Cannot read the configuration "/);
      }
    },
  );
}

for (const state of ["file", "file/state", "/proc/state"]) {
  Deno.test(`a state directory ${state} that cannot be used is a sentence for every command, never an internal error`, {
    ignore: !isLinux,
  }, async () => {
    await using dir = await tempFolder();
    await dir.write("file", "");
    await Deno.mkdir(dir.at("images"));
    const folder = state.startsWith("/") ? state : dir.at(state);
    await dir.write("c.yaml", springConfig(dir).replace(dir.at("state"), folder));
    for (
      const words of [
        ["run", "--once"],
        ["status"],
        ["stop"],
        ["reload"],
        ["sync"],
        ["pause"],
        ["resume", "nas"],
        ["retry", "--all"],
        ["retry", "7"],
        ["forget", "nas"],
        ["history"],
        ["report"],
        ["verify"],
        ["doctor"],
        ["open"],
      ]
    ) {
      const { code, text } = await image_transfer(dir, ...words, "-c", "c.yaml");
      assert(!text.includes("Internal error"), `${words.join(" ")}: ${text}`);
      assert([0, 1, 2, 4].includes(code), `${words.join(" ")}: ${code}`);
      if (words[0] === "pause" || words[0] === "run") assertStringIncludes(text, folder);
    }
  });
}

Deno.test(
  "status, history and report still read a state directory that became read-only; what would write says so",
  needs("root"),
  async () => {
    await using dir = await tempFolder();
    await using disk = await mountSmallDisk(dir.at("state"), 8);
    await Deno.mkdir(dir.at("images"));
    await dir.write("c.yaml", springConfig(dir));
    {
      using ledger = openLedger(dir.at("state"));
      ledger.admit([anAdmission("a", {}, ["nas"])], NOW);
    }
    await dir.write("state/lock", "");
    await disk.readOnly(true);
    for (
      const [code, ...words] of [
        [4, "status"],
        [0, "history"],
        [1, "report", "--night", "20240517"],
        [0, "verify"],
        [4, "stop"],
        [2, "run", "--once"],
        [1, "pause"],
        [1, "retry", "--all"],
      ] as const
    ) {
      const result = await image_transfer(dir, ...words, "-c", "c.yaml");
      assertEquals([words.join(" "), result.code], [words.join(" "), code], result.text);
      assert(!result.text.includes("Internal error"), result.text);
    }
  },
);

Deno.test("doctor names a state directory that cannot be written to in its findings, not an internal error", async () => {
  await using dir = await tempFolder();
  await dir.write("state", "a file");
  await Deno.mkdir(dir.at("images"));
  await dir.write("c.yaml", springConfig(dir));
  const tools = testTools(dir.path);
  assertEquals((await called(["doctor", "-c", "c.yaml"], tools)).code, 1);
  assert(!tools.printed.stdout.includes("Internal error"), tools.printed.stdout);
  assertStringIncludes(tools.printed.stdout, dir.at("state"));
});

Deno.test("demo makes its folder where the command was called, and says where it cannot", async () => {
  await using dir = await tempFolder();
  await dir.write("file", "");
  const refused = await image_transfer(dir, "demo", "--folder", "file/x", "--for", "1s");
  assertEquals([refused.code, refused.text.split("\n")[0]?.startsWith(`Cannot use "${dir.at("file", "x")}": `)], [2, true]);
});

Deno.test("failureText() keeps the stack of our own faults only; what the system refuses is a sentence", () => {
  const refused = new Deno.errors.PermissionDenied("Permission denied (os error 13): open '/data/a'");
  assertEquals(failureText(refused), { text: 'Cannot open "/data/a": Permission denied\n', code: 1 });
  assertMatch(failureText(new TypeError("x is undefined")).text, /^Internal error, please report it:\nTypeError/);
  const ended = new DOMException("asked to end", "AbortError");
  assertEquals(failureText(ended, AbortSignal.abort()), { text: "Interrupted.\n", code: 130 });
  assertMatch(failureText(ended, new AbortController().signal).text, /^Internal error/);
});

Deno.test("a pid_file that cannot be written is a warning: the daemon starts, and delivers", async () => {
  const { folder, program } = await dataToNas();
  await using _folder = folder;
  await folder.write("data/a.fits", "not FITS, but finished");
  const config = JSON.parse(await Deno.readTextFile(program.configFile));
  const configure = (pid_file: string) => Deno.writeTextFile(program.configFile, JSON.stringify({ ...config, pid_file }));
  await configure(folder.at("config.yaml", "x.pid"));
  await using daemon = await program.start();
  await program.until(([row]) => row?.state === "delivered");
  await program.untilLog(/WARNING Cannot write pid_file ".*x\.pid"/);
  // Taken over with a reload, and gone after the end.
  await configure(folder.at("good.pid"));
  assertEquals((await program.command(["reload"])).code, 0);
  assertEquals(await folder.read("good.pid"), `${daemon.pid}\n`);
  assertEquals(await daemon.stop(), 0);
  assertEquals(await Deno.stat(folder.at("good.pid")).catch(() => null), null);
});

/** A server that takes connections and never says a word: whoever asks it waits. */
function silentServer(): { readonly port: number; readonly asked: Promise<void>; [Symbol.dispose](): void } {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const asked = (async () => {
    connections.push(await server.accept());
  })();
  return {
    port: server.addr.port,
    asked,
    [Symbol.dispose]() {
      for (const connection of connections) connection.close();
      server.close();
    },
  };
}

for (const words of [["doctor"], ["report", "--night", "20240517"], ["verify"]]) {
  Deno.test(
    `Ctrl+C while ${words[0]} waits for a destination is no internal error`,
    { ignore: !isLinux || !has("sshd") },
    async () => {
      await using folder = await tempFolder();
      await Deno.mkdir(folder.at("data"));
      using server = silentServer();
      const program = await install(folder.path, {
        watch_path: folder.at("data"),
        jobs: [{
          name: "spring",
          destinations: [{
            name: "freya",
            transfer_method: "sftp",
            remote_host: "127.0.0.1",
            remote_port: server.port,
            remote_base_path: "/data",
          }],
        }],
      });
      await Deno.mkdir(program.stateFolder);
      {
        using ledger = openLedger(program.stateFolder);
        ledger.admit([{ ...anAdmission("a", {}, ["freya"]), night: "20240517" }], NOW);
        ledger.record([proven(deliveryOf(ledger, "a"))], NOW);
      }
      await using command = program.launch(words);
      await server.asked;
      command.kill("SIGINT");
      const { code, stdout, stderr } = await command.ended;
      assert(!`${stdout}${stderr}`.includes("Internal error"), `${stdout}${stderr}`);
      // verify tells how far it came.
      assertEquals(code, words[0] === "verify" ? 1 : 130, stderr);
    },
  );
}

Deno.test("the first Ctrl+C at a question of init ends it, and nothing is written", needs("terminal"), async () => {
  await using folder = await tempFolder();
  const { code, output } = await atTerminal(
    ["init", "-o", "new.yaml"],
    folder.path,
    {},
    "Which folder does the camera write to?",
  );
  assertStringIncludes(output, "Nothing was written.");
  assertEquals(code, 2);
  assertEquals(await Array.fromAsync(Deno.readDir(folder.path)), []);
});

Deno.test(
  "the first Ctrl+C at the question of doctor --enroll ends it, and no key is accepted",
  needs("terminal", "sshd"),
  async () => {
    await using folder = await tempFolder();
    await using server = await startSshd();
    await Deno.writeTextFile(server.knownHosts, "");
    await folder.write(
      "c.yaml",
      JSON.stringify({
        watch_path: folder.path,
        state_directory: folder.at("state"),
        log_directory: folder.at("logs"),
        transfer_method: "sftp",
        remote_host: server.host,
        remote_base_path: "/data",
      }),
    );
    const words = ["doctor", "--enroll", "-c", "c.yaml"];
    const { code, output } = await atTerminal(words, folder.path, server.env, "Is this the right key?");
    assertStringIncludes(output, "Interrupted.");
    assert(!output.includes("Internal error"), output);
    assertEquals(code, 130);
    assertEquals(await Deno.readTextFile(server.knownHosts), "");
  },
);

/** Runs it in a terminal of its own and presses Ctrl+C when the question is asked. */
async function atTerminal(words: readonly string[], cwd: string, env: Readonly<Record<string, string>>, question: string) {
  const { program, before } = theProgram();
  // In the shell's place: a shell that waits for it would be hit by Ctrl+C, too, and say 130 in its stead.
  const line = `exec ${[program, ...before, ...words].map((word) => `'${word}'`).join(" ")}`;
  const child = new Deno.Command("script", {
    args: ["--quiet", "--return", "--flush", "--command", line, "/dev/null"],
    cwd,
    env: { ...env, NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const keyboard = child.stdin.getWriter();
  // One that does not end is a failure, not a test without an end.
  const late = setTimeout(() => child.kill("SIGKILL"), 30_000);
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
    const before = output.includes(question);
    output += text;
    if (!before && output.includes(question)) await keyboard.write(new Uint8Array([3]));
  }
  await keyboard.close();
  const { code } = await child.status;
  clearTimeout(late);
  return { code, output };
}
