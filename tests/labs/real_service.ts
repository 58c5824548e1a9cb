// deno-lint-ignore-file no-console -- a program that talks to people
/**
 * On a machine that may be changed (a runner of CI): installs the built binary as a service of the system's own manager,
 * has it deliver, kills it, has it deliver again, and takes everything away. `deno run -A tests/labs/real_service.ts`.
 */
import { fromFileUrl, join } from "@std/path";
import { fitsFile } from "../support/fits_maker.ts";
import { command, until } from "./lab.ts";

const isWindows = Deno.build.os === "windows";
const PROGRAM = fromFileUrl(new URL(`../../image-transfer${isWindows ? ".exe" : ""}`, import.meta.url));
const NAME = isWindows ? "ImageTransferTest" : "image-transfer-test";
const folder = await Deno.makeTempDir({ prefix: "it-service-", ...(isWindows ? {} : { dir: Deno.env.get("HOME") ?? "/" }) });
const [images, arrived] = [join(folder, "images"), join(folder, "arrived")];
const config = join(folder, "config.yaml");

async function main(): Promise<void> {
  await Deno.mkdir(images);
  const keys = {
    watch_path: images,
    transfer_method: "local",
    remote_base_path: arrived,
    state_directory: join(folder, "state"),
    log_directory: join(folder, "logs"),
    web: false,
  };
  await Deno.writeTextFile(config, JSON.stringify(keys));
  try {
    // Windows: without anyone logged on, as on a runner.
    await call("install-service", ["--name", NAME, "--config", config, ...(isWindows ? ["--system"] : [])]);
    await delivers("first.fits");
    const { pid } = JSON.parse(await call("status", ["--json", "--config", config]));
    Deno.kill(pid, "SIGKILL");
    // Task Scheduler tries again after one minute, or five.
    const again = async () => JSON.parse((await command(PROGRAM, ["status", "--json", "--config", config])).stdout || "{}");
    await until("it is started again", async () => ![undefined, null, pid].includes((await again()).pid), log, 400);
    await delivers("second.fits");
    await call("service", ["stop", "--name", NAME]);
    await call("service", ["start", "--name", NAME]);
    await delivers("third.fits");
    await call("service", ["status", "--name", NAME]);
  } finally {
    await call("uninstall-service", ["--name", NAME, "--purge"]);
  }
  await Deno.remove(folder, { recursive: true });
}

async function delivers(name: string): Promise<void> {
  const content = fitsFile(300_000, name.length);
  await Deno.writeFile(join(images, name), content);
  const same = async () => {
    const there = await Deno.readFile(join(arrived, name)).catch(() => null);
    return there !== null && there.length === content.length && there.every((byte, at) => byte === content[at]);
  };
  await until(`${name} arrives`, same, log);
  console.log(`${name} arrived`);
}

async function call(name: string, args: readonly string[]): Promise<string> {
  // Linux: for the computer, as the account that calls; so with sudo.
  const before = Deno.build.os === "linux" && name !== "status" ? ["sudo", PROGRAM] : [PROGRAM];
  const { code, stdout, stderr } = await command(before[0]!, [...before.slice(1), name, ...args]);
  console.log(`$ image-transfer ${name} ${args.join(" ")}\n${stdout}${stderr}`);
  if (code !== 0) throw new Error(`exit code ${code}\n${await log()}`);
  return stdout;
}

async function log(): Promise<string> {
  return await Deno.readTextFile(join(folder, "logs", "image_transfer.log")).catch(String);
}

await main();
