/**
 * Answers of remote tools: every exit code and every well-known last word of rsync, scp, sftp and ssh becomes the right
 * failure, nothing is ever published for it, and the same session, or the next, works again.
 */
import { assertEquals } from "@std/assert";
import type { FailureCode } from "../../src/domain/failure.ts";
import { Failure } from "../../src/domain/failure.ts";
import type { MethodContext } from "../../src/methods/method.ts";
import { methodNamed } from "../../src/methods/methods.ts";
import { parseSettings } from "../../src/config/read/parse_settings.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { needs, which } from "../support/needs.ts";
import { finalNames } from "../support/observer.ts";
import { startSshd } from "../support/sshd.ts";
import { tempFolder } from "../support/temp.ts";

interface Answer {
  readonly exit: number;
  readonly words?: string;
  /** Of the whole batch; `files` where each file is blamed alone. */
  readonly code: FailureCode | "files";
}

const RSYNC: readonly Answer[] = [
  { exit: 1, words: "rsync: --wrong: unknown option", code: "configuration" },
  { exit: 2, words: "protocol version mismatch -- is your shell clean?", code: "tool_missing" },
  { exit: 3, words: "rsync: change_dir failed", code: "not_a_folder" },
  { exit: 4, code: "configuration" },
  { exit: 5, code: "interrupted" },
  { exit: 6, code: "interrupted" },
  { exit: 10, words: "rsync: read error: Connection timed out (110)", code: "unreachable" },
  { exit: 11, words: 'rsync: write failed on "/a": No space left on device (28)', code: "disk_full" },
  { exit: 11, words: 'rsync: mkstemp "/a" failed: Read-only file system (30)', code: "read_only" },
  { exit: 11, words: 'rsync: write failed on "/a": Disk quota exceeded (122)', code: "disk_full" },
  { exit: 11, code: "interrupted" },
  { exit: 12, words: "rsync: connection unexpectedly closed (0 bytes received so far) [sender]", code: "interrupted" },
  { exit: 13, code: "interrupted" },
  { exit: 14, code: "interrupted" },
  { exit: 15, code: "interrupted" },
  { exit: 16, code: "interrupted" },
  { exit: 19, code: "interrupted" },
  { exit: 20, words: "rsync error: received SIGINT, SIGTERM, or SIGHUP (code 20)", code: "interrupted" },
  { exit: 21, code: "interrupted" },
  { exit: 22, code: "interrupted" },
  { exit: 23, code: "files" },
  { exit: 24, code: "files" },
  { exit: 25, code: "configuration" },
  { exit: 30, code: "timeout" },
  { exit: 35, code: "timeout" },
  { exit: 77, words: "what nobody has heard of", code: "interrupted" },
  { exit: 124, code: "interrupted" },
  { exit: 125, code: "interrupted" },
  { exit: 126, words: "bash: /usr/bin/rsync: Permission denied", code: "tool_missing" },
  { exit: 127, words: "sh: rsync: command not found", code: "tool_missing" },
  { exit: 255, words: "ssh: connect to host nas port 22: Connection refused", code: "unreachable" },
  { exit: 255, words: "Host key verification failed.", code: "host_key_unknown" },
  { exit: 255, words: "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", code: "host_key_changed" },
  { exit: 255, words: "observer@nas: Permission denied (publickey).", code: "login_refused" },
  { exit: 255, code: "interrupted" },
  // It says that all went well, and sent nothing: only the hash at the destination can tell.
  { exit: 0, code: "files" },
];

const SCP: readonly Answer[] = [
  { exit: 1, words: 'scp: dest open "a": No such file or directory', code: "interrupted" },
  { exit: 1, words: 'scp: write remote "a": No space left on device', code: "disk_full" },
  { exit: 1, words: 'scp: dest open "a": Read-only file system', code: "read_only" },
  { exit: 1, words: "lost connection", code: "interrupted" },
  { exit: 1, code: "interrupted" },
  { exit: 2, code: "interrupted" },
  { exit: 127, words: "scp: command not found", code: "tool_missing" },
  { exit: 255, words: "Connection closed by 10.0.0.1 port 22", code: "interrupted" },
  { exit: 255, words: "ssh: Could not resolve hostname nas: Name or service not known", code: "unreachable" },
  { exit: 255, words: "observer@nas: Permission denied (publickey).", code: "login_refused" },
  { exit: 255, words: "Host key verification failed.", code: "host_key_unknown" },
  { exit: 0, code: "files" },
];

/** Said by ssh at the login; from what OpenSSH 7 to 10 and the shells of NAS systems print. */
const LOGIN: readonly Answer[] = [
  { exit: 255, words: "ssh: connect to host nas port 22: No route to host", code: "unreachable" },
  { exit: 255, words: "ssh: connect to host nas port 22: Connection timed out", code: "unreachable" },
  { exit: 255, words: "kex_exchange_identification: read: Connection reset by peer", code: "unreachable" },
  { exit: 255, words: "Unable to negotiate with 10.0.0.1 port 22: no matching host key type found.", code: "unreachable" },
  { exit: 255, words: "No ED25519 host key is known for nas and you have requested strict checking.", code: "host_key_unknown" },
  { exit: 255, words: "WARNING: UNPROTECTED PRIVATE KEY FILE!", code: "login_refused" },
  { exit: 255, words: "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures", code: "login_refused" },
  { exit: 255, words: "/home/observer/.ssh/config: line 3: Bad configuration option: wrong", code: "configuration" },
  { exit: 255, words: "Connection closed by 10.0.0.1 port 22", code: "interrupted" },
  { exit: 255, words: "Timeout, server nas not responding.", code: "timeout" },
  { exit: 255, code: "interrupted" },
];

const SSH: readonly Answer[] = [
  ...LOGIN,
  { exit: 1, words: "This account is currently not available.", code: "tool_missing" },
  { exit: 1, words: "This service allows sftp connections only.", code: "tool_missing" },
  { exit: 127, words: "sh: exec: sh: not found", code: "tool_missing" },
  { exit: 0, words: "Welcome to the tool that knows no shell", code: "tool_missing" },
];

const SFTP: readonly Answer[] = [
  ...LOGIN,
  { exit: 255, words: "subsystem request failed on channel 0", code: "tool_missing" },
  { exit: 1, words: "Received message too long 1416128883", code: "tool_missing" },
  { exit: 1, code: "interrupted" },
];

/** `only` is the option of the calls that are answered so; the others work. */
const CASES = [
  { tool: "rsync", method: "rsync", answers: RSYNC, only: "" },
  { tool: "scp", method: "scp", answers: SCP, only: "" },
  { tool: "ssh", method: "sftp", answers: SFTP, only: "-s" },
  { tool: "ssh", method: "rsync", answers: SSH, only: "" },
] as const;

for (const { tool, method, answers, only } of CASES) {
  Deno.test(
    `answers of ${tool} to ${method}: ${answers.length} exit codes and last words, each its failure, nothing published`,
    needs("sshd", "rsync"),
    async (t) => {
      await using folder = await tempFolder();
      await using server = await startSshd();
      const there = folder.at("archive");
      await Deno.mkdir(folder.at("camera"));
      const path = folder.at("camera", "a.fits");
      await Deno.writeFile(path, fitsFile(50_000, 1));
      // A tool that works until it is told what to answer.
      const real = which(tool)!;
      const fake = await folder.write(
        `bin/${tool}`,
        `#!/bin/sh\n[ -e ${folder.path}/answer ] || exec ${real} "$@"\ncase "$1" in --version|-V) exec ${real} "$@";; esac\n` +
          `case " $* " in *"${only === "" ? "" : ` ${only} `}"*) ;; *) exec ${real} "$@";; esac\n` +
          `cat ${folder.path}/words >&2\nexit "$(cat ${folder.path}/answer)"\n`,
      );
      await Deno.chmod(fake, 0o755);
      const plain = createSystem();
      const system = server.configure({
        ...plain,
        which: (name: string) => name === tool ? Promise.resolve(fake) : plain.which(name),
      });
      const config = {
        watch_path: folder.at("camera"),
        remote_host: server.host,
        remote_base_path: there,
        transfer_method: method,
      };
      const settings = parseSettings(JSON.stringify(config), folder.at("config.yaml"), "yaml", system);
      const destination = settings.jobs[0]!.destinations[0]!;
      const context: MethodContext = {
        system,
        stagingRoot: ".image-transfer-test",
        workFolder: folder.at("work"),
        log: () => {},
      };
      const signal = new AbortController().signal;
      const facts = (await system.facts(path))!;
      const source = { job: "default", path: "a.fits", absolutePath: path, night: "20261120", ...facts };

      const send = async (staged: string) => {
        await using session = await (await methodNamed(method)).connect(destination, context, signal);
        await session.attach(true, signal);
        return (await session.put([{ source, staged }], () => {}, signal))[0];
      };

      for (const [index, { exit, words = "", code }] of answers.entries()) {
        await t.step(`${exit} ${words}`, async () => {
          await folder.write("words", `${words}\n`);
          await folder.write("answer", String(exit));
          const staged = `.image-transfer-test/a${index}/1`;
          const sent = await send(staged).then(
            (outcome) => outcome?.put === false ? `files ${outcome.failure.code}` : outcome?.put ? "put" : "none",
            (error) =>
              error instanceof Failure ? `${error.code} ${error.hint === "" ? "without a hint" : ""}`.trim() : String(error),
          );
          await Deno.remove(folder.at("answer"));
          assertEquals(await Array.fromAsync(finalNames(there)), []);
          if (code !== "files") return assertEquals(sent, code);
          if (sent.startsWith("files ")) return;
          assertEquals(sent, "put");
          await using session = await (await methodNamed(method)).connect(destination, context, signal);
          assertEquals(await session.digest([staged], signal), [null]);
        });
      }
    },
  );
}
