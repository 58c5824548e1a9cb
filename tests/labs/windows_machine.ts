/**
 * The lab machine with Windows programs, seen from the tests: the compiled `.exe` in a user's profile, and a sshd that
 * its `ssh`, `scp` and `sftp` reach under the name `observatory`.
 */
import { join } from "@std/path";
import { build } from "../build/build.ts";
import { startSshd } from "../support/sshd.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type Answer, command, holdLab, lab } from "./lab.ts";

const LAB = Deno.env.get("WINDOWS_LAB") ?? "/var/tmp/lab-windows";
const PROFILE = join(LAB, "root/root/.wine/drive_c/users/root");
/** The user's profile, as Windows names it. */
export const USERPROFILE = "C:\\users\\root";

export interface WindowsMachine extends AsyncDisposable {
  /** Calls the program. */
  run(...args: string[]): Promise<Answer>;
  /** Calls it and lets it go on. */
  start(...args: string[]): Deno.ChildProcess;
  /** Calls another program of Windows. */
  windows(...args: string[]): Promise<Answer>;
  /** A path in the profile, as this machine names it. */
  inProfile(...parts: string[]): string;
  /** Where Windows keeps its tasks, as this machine names it. */
  readonly tasks: string;
  /** The folder of the sshd's side. */
  readonly remote: TempFolder;
}

/** Makes the machine ready: a profile without anything of ours, the program built anew. */
export async function startWindows(script: string): Promise<WindowsMachine> {
  const held = await holdLab("windows");
  const call = async (...args: string[]) => await command("bash", [script, ...args]);
  const prepared = await call("prepare");
  if (prepared.code !== 0) throw new Error(`The lab cannot be prepared: ${prepared.stderr}`);
  const inProfile = (...parts: string[]) => join(PROFILE, ...parts);
  const clean = async () => {
    for (
      const name of [".config", ".ssh", "images", "arrived", "logs", "AppData/Local/image-transfer", "AppData/Local/Programs"]
    ) {
      await Deno.remove(inProfile(name), { recursive: true }).catch(() => undefined);
    }
  };
  await clean();
  const program = join(LAB, "root/work/image-transfer.exe");
  await buildProgram(program);
  const sshd = await startSshd();
  await Deno.mkdir(inProfile(".ssh"), { recursive: true, mode: 0o700 });
  await Deno.copyFile(sshd.identityFile, inProfile(".ssh/id_ed25519"));
  await Deno.copyFile(sshd.knownHosts, inProfile(".ssh/known_hosts"));
  await Deno.writeTextFile(
    inProfile(".ssh/config"),
    `Host observatory\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  User ${sshd.user}\n`,
  );
  const remote = await tempFolder();
  return {
    run: (...args) => call("run", "image-transfer.exe", ...args),
    start: (...args) =>
      new Deno.Command("bash", { args: [script, "run", ...args], stdin: "null", stdout: "null", stderr: "null" }).spawn(),
    windows: (...args) => call("run", ...args),
    inProfile,
    tasks: join(LAB, "root/root/.wine/drive_c/windows/system32/tasks"),
    remote,
    async [Symbol.asyncDispose]() {
      await sshd[Symbol.asyncDispose]();
      await remote[Symbol.asyncDispose]();
      await clean();
      await Deno.remove(program);
      held[Symbol.dispose]();
    },
  };
}

/** Compiles with the Deno whose base runtime the lab has. */
async function buildProgram(output: string): Promise<void> {
  const target = "x86_64-pc-windows-msvc";
  const { code, stdout, stderr } = await command("bash", [lab("denort.sh")!, target]);
  if (code !== 0) throw new Error(stderr);
  const before = Deno.env.get("DENORT_BIN");
  Deno.env.set("DENORT_BIN", stdout.trim());
  try {
    await build({ target, output, check: false });
  } finally {
    if (before === undefined) Deno.env.delete("DENORT_BIN");
    else Deno.env.set("DENORT_BIN", before);
  }
  await mendSections(output);
}

/**
 * The lab's base runtime has carried another program before: `deno compile` replaces that, but leaves the size that
 * Windows maps as it was. The official runtime has none.
 */
async function mendSections(file: string): Promise<void> {
  const bytes = await Deno.readFile(file);
  const view = new DataView(bytes.buffer);
  const header = view.getUint32(0x3c, true);
  const sections = header + 24 + view.getUint16(header + 20, true);
  const last = sections + 40 * (view.getUint16(header + 6, true) - 1);
  const [address, size] = [view.getUint32(last + 12, true), view.getUint32(last + 16, true)];
  view.setUint32(last + 8, size, true);
  view.setUint32(header + 24 + 56, Math.ceil((address + size) / 4096) * 4096, true);
  await Deno.writeFile(file, bytes);
}
