import { assertEquals, assertStringIncludes } from "@std/assert";
import { readMark } from "../../src/config/read/service_mark.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { lab, until } from "./lab.ts";
import { startWindows, USERPROFILE, type WindowsMachine } from "./windows_machine.ts";

const script = lab("windows.sh");

/** Where install-service puts the program. */
const PROGRAM = `${USERPROFILE}\\AppData\\Local\\Programs\\image-transfer\\image-transfer.exe`;
/** Names that Windows keeps for devices. */
const RESERVED = ["CON.fits", "aux.tar.fits"];
/** Names that something on the way could take for something else. */
const HOSTILE = [
  "m 31 (1).fits",
  "100% & $HOME.fits",
  "%TEMP%.fits",
  "-rf.fits",
  "it's; `x`.fits",
  "[a-z]!{b,c}^.fits",
  "üñï-星.fits",
  ...RESERVED,
  `${"long-".repeat(40)}.fits`,
];

Deno.test({
  name: "the program on Windows",
  ignore: script === null,
  // The lab's programs outlive a call for a moment.
  sanitizeResources: false,
  async fn(t) {
    await using machine = await startWindows(script!);
    const step = async (name: string, act: () => Promise<void>) => {
      if (!await t.step(name, act)) throw new Error(`${name}: failed`);
    };
    const images = machine.inProfile("images", "deep", "er");
    await Deno.mkdir(images, { recursive: true });
    const sent = new Map<string, Uint8Array>();
    const expose = async (name: string, bytes = 50_000) => {
      const content = fitsFile(bytes, sent.size + 1);
      sent.set(name, content);
      await Deno.writeFile(`${images}/${name}`, content);
    };
    const arrived = async (folder: string) => {
      for (const [name, content] of sent) assertEquals(await Deno.readFile(`${folder}/deep/er/${name}`), content, name);
    };
    for (const name of HOSTILE) await expose(name);

    await step("finds its configuration in the profile, in Windows' own notation", async () => {
      await configure(machine, { remote_base_path: "C:/users/root/arrived", transfer_method: "local" });
      const { code, stdout } = await machine.run("config", "validate");
      assertEquals([code, stdout.split("\r\n").length > 0], [0, true]);
      assertStringIncludes(stdout, `${USERPROFILE}\\.config\\image-transfer\\config.yaml: valid`);
    });

    await step("local: delivers hostile, reserved and long names, or says why not", async () => {
      const { code, stderr } = await machine.run("--once");
      assertEquals(code, 1, stderr);
      const told = await log(machine);
      // Windows itself would never let these be made; from a share they may come.
      for (const name of RESERVED) {
        assertStringIncludes(told, name);
        await Deno.remove(`${images}/${name}`);
        sent.delete(name);
      }
      await arrived(machine.inProfile("arrived"));
    });

    for (const method of ["tar", "sftp", "scp"]) {
      await step(`${method}: delivers to a sshd`, async () => {
        const remote = { remote_host: "observatory", remote_base_path: machine.remote.at(method), transfer_method: method };
        await configure(machine, { ...remote, state_directory: `${USERPROFILE}\\AppData\\Local\\image-transfer\\${method}` });
        const { code, stderr } = await machine.run("--once");
        assertEquals(code, 0, stderr);
        await arrived(machine.remote.at(method));
      });
    }

    await step("four destinations at a time: as many programs run as would take all threads of the runtime", async () => {
      const bases = [1, 2, 3, 4].map((n) => machine.remote.at(`nas${n}`));
      await configure(machine, {
        destinations: bases.map((base, n) => ({
          name: `nas${n}`,
          remote_host: "observatory",
          remote_base_path: base,
          transfer_method: "sftp",
        })),
        state_directory: `${USERPROFILE}\\AppData\\Local\\image-transfer\\four`,
      });
      const { code, stderr } = await machine.run("--once");
      assertEquals(code, 0, stderr);
      for (const base of bases) await arrived(base);
    });

    await step("install-service makes a task that Task Scheduler takes", async () => {
      const { stderr } = await machine.run("install-service", "--name", "ImageTransferTest");
      assertStringIncludes(stderr, "Installed the task ImageTransferTest");
      // The lab's scheduler takes tasks, but keeps no actions and starts none.
      const task = new TextDecoder().decode(await Deno.readFile(`${machine.tasks}/ImageTransferTest`));
      const { program, copied, config } = readMark(task)!;
      assertEquals({ program, copied, config }, {
        program: PROGRAM,
        copied: true,
        config: `${USERPROFILE}\\.config\\image-transfer\\config.yaml`,
      });
      assertStringIncludes(task, "<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>");
      assertEquals((await machine.windows("schtasks", "/delete", "/tn", "ImageTransferTest", "/f")).code, 0);
    });

    await step("what the task starts: status, stop with transfers in flight, and resume", async () => {
      const slow = { remote_host: "observatory", remote_base_path: machine.remote.at("sftp"), transfer_method: "sftp" };
      const own = { ...slow, state_directory: `${USERPROFILE}\\AppData\\Local\\image-transfer\\sftp` };
      await configure(machine, { ...own, bandwidth_limit: "300kB", shutdown_timeout_seconds: 2 });
      await using running = endAfterwards(machine.start(PROGRAM, "run"), machine);
      const status = async () => JSON.parse((await machine.run("status", "--json")).stdout || "{}");
      // The first program to run brings up Wine's services, which hold its outputs open: that must not be one we read to its end.
      const control = machine.inProfile("AppData/Local/image-transfer/sftp/control.json");
      await until("it listens", () => Deno.stat(control).then(() => true, () => false), () => log(machine));
      await until("it runs", async () => (await status()).running === true, () => log(machine));
      // Two batches at a time, and so as many programs that run long as a small computer has to hold.
      for (let n = 0; n < 2; n++) await expose(`night_${n}.fits`, 1_000_000);
      await until("it sends", async () => (await status()).deliveries.sending > 0, () => log(machine));
      for (let n = 2; n < 8; n++) await expose(`night_${n}.fits`, 1_000_000);
      await until("it sends more", async () => (await status()).deliveries.sending > 2, () => log(machine));
      const stopped = await machine.run("stop");
      assertEquals(stopped.code, 0, stopped.stderr);
      await running.child.status;
      const rest = (await status()).deliveries;
      assertEquals([rest.failed, rest.sending, rest.queued + rest.deferred > 0], [0, 0, true], JSON.stringify(rest));
      await configure(machine, own);
      const { code, stderr } = await machine.run("--once");
      assertEquals(code, 0, stderr);
      await arrived(machine.remote.at("sftp"));
      assertEquals((await history(machine)).filter(({ state }) => state !== "delivered"), []);
    });
  },
});

interface Row {
  readonly path: string;
  readonly state: string;
  readonly error: { readonly message: string } | null;
}

async function history(machine: WindowsMachine): Promise<Row[]> {
  const { stdout, stderr } = await machine.run("history", "--json");
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

async function configure(machine: WindowsMachine, keys: Readonly<Record<string, unknown>>): Promise<void> {
  await Deno.mkdir(machine.inProfile(".config/image-transfer"), { recursive: true });
  const all = { watch_path: "%USERPROFILE%\\images", web: false, log_level: "DEBUG", ...keys };
  await Deno.writeTextFile(machine.inProfile(".config/image-transfer/config.yaml"), JSON.stringify(all));
}

async function log(machine: WindowsMachine): Promise<string> {
  return (await Deno.readTextFile(machine.inProfile("logs/image_transfer.log")).catch(String));
}

function endAfterwards(child: Deno.ChildProcess, machine: WindowsMachine) {
  return {
    child,
    async [Symbol.asyncDispose]() {
      await machine.windows("taskkill", "/f", "/im", "image-transfer.exe");
      await child.status;
    },
  };
}
