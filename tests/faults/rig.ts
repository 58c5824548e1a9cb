/** What every fault test needs: folders, a destination of the chosen kind, an installation, a witness at the destination. */
import { assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { pathField } from "../../src/domain/names/printable.ts";
import type { DeliveryJson } from "../../src/reports/delivery/delivery_json.ts";
import { install, type Installation, type RunningDaemon } from "../support/daemon_process.ts";
import { fitsFile, sha256 } from "../support/fits_maker.ts";
import { needs } from "../support/needs.ts";
import { observe, type Observer, stagingRemains } from "../support/observer.ts";
import { type Ftpd, type FtpdOptions, startFtpd } from "../support/ftpd.ts";
import { type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";
import { type ProxyOptions, startProxy, type TcpProxy } from "../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

export interface Rig extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly watched: string;
  readonly there: string;
  readonly installation: Installation;
  readonly observer: Observer;
  /** With a method over ssh: its server. */
  readonly server: Sshd | null;
  /** With ftp or ftps: its server. */
  readonly ftpd: Ftpd | null;
  readonly proxy: TcpProxy | null;
  /** Writes a finished FITS file of about `bytes` into the watched folder and allows it at the destination. */
  expose(name: string, bytes?: number, seed?: number): Promise<string>;
  /** Allows these bytes under this name, and expects them there in the end; the test writes the file. */
  expect(name: string, content: Uint8Array<ArrayBuffer>): Promise<string>;
  /** Nothing is expected under this name any more: it is gone, or never finished. */
  unexpect(name: string): void;
  /** Bytes that lie in staging folders now. */
  staged(): Promise<number>;
  /**
   * Everything exposed is delivered, proven, equal; no offence was seen; nothing is left over; the log has one line for
   * each delivery (unless a crash took lines with it).
   */
  allIsWell(rows: readonly DeliveryJson[], options?: Ending): Promise<void>;
  /** So many are delivered, or these rows are all; the daemon ends, and then all is well. */
  endsWell(daemon: RunningDaemon, rows: readonly DeliveryJson[] | number, options?: Ending): Promise<void>;
}

interface Ending {
  readonly crashed?: boolean;
  readonly listed?: readonly string[];
  readonly proof?: string | readonly string[];
}

export interface RigOptions {
  readonly method: "local" | "rsync" | "tar" | "scp" | "sftp" | "ftp" | "ftps";
  readonly ftpd?: FtpdOptions;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly there?: string;
  readonly folder?: TempFolder;
  readonly sshd?: SshdOptions;
  /** Puts a proxy between daemon and server. */
  readonly proxy?: ProxyOptions;
}

/** A test for each of these methods. */
export function each<Name extends string>(
  methods: readonly Name[],
  name: string,
  test: (method: Name) => Promise<void>,
  ...others: Parameters<typeof needs>
): void {
  for (const method of methods) Deno.test(`${name} (${method})`, needsFor(method, ...others), () => test(method));
}

/** Of a test of this method: it is left out where what the method uses, or one of the others, is not here. */
export const needsFor = (method: string, ...others: Parameters<typeof needs>) =>
  needs(...others, ...method === "local" ? [] : method.startsWith("ftp") ? ["vsftpd"] as const : ["sshd", "rsync"] as const);

export async function makeRig(options: RigOptions): Promise<Rig> {
  const folder = options.folder ?? await tempFolder();
  const [watched, there] = [folder.at("camera"), options.there ?? folder.at("archive")];
  await Deno.mkdir(watched, { recursive: true });
  await Deno.mkdir(there, { recursive: true });
  const isFtp = options.method === "ftp" || options.method === "ftps";
  const ftpd = isFtp ? await startFtpd(options.method === "ftps" ? { tls: "explicit", ...options.ftpd } : options.ftpd) : null;
  const server = options.method === "local" || isFtp ? null : await startSshd(options.sshd);
  const proxy = server && options.proxy ? startProxy(server.port, options.proxy) : null;
  const remote = ftpd !== null
    ? await loginTo(ftpd, folder)
    : server === null
    ? {}
    : proxy
    ? { remote_host: "127.0.0.1", remote_user: server.user, remote_port: proxy.port }
    : { remote_host: server.host };
  const installation = await install(folder.path, {
    watch_path: watched,
    transfer_method: options.method,
    remote_base_path: there,
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    retry_delay: 1,
    debounce_ms: 200,
    ...remote,
    ...options.config,
  }, server?.env ?? {});
  const observer = observe(there);
  const latest = new Map<string, string>();

  async function expect(name: string, content: Uint8Array<ArrayBuffer>): Promise<string> {
    const hash = await sha256(content);
    observer.allow(name, hash);
    latest.set(name, hash);
    return hash;
  }

  const rig: Rig = {
    folder,
    watched,
    there,
    installation,
    observer,
    server,
    ftpd,
    proxy,
    expect,
    async expose(name, bytes = 300_000, seed = nextSeed++) {
      const content = fitsFile(bytes, seed);
      const hash = await expect(name, content);
      await Deno.mkdir(dirname(join(watched, name)), { recursive: true });
      await Deno.writeFile(join(watched, name), content);
      return hash;
    },
    unexpect: (name) => void latest.delete(name),
    staged: () => stagedBytes(there),
    async allIsWell(rows, { crashed = false, listed = [], proof = "checksum" } = {}) {
      const delivered = rows.filter(({ state }) => state === "delivered");
      const others = rows.filter(({ state, error }) => state !== "delivered" && error?.code !== "superseded");
      assertEquals(others.map(({ target }) => target).sort(), [...listed].sort(), JSON.stringify(others, null, 1));
      for (const { error, target } of others) assertEquals([typeof error?.message, error?.hint !== ""], ["string", true], target);
      for (const [name, hash] of latest) {
        assertEquals(await sha256(await Deno.readFile(join(there, name))), hash, name);
        assertEquals(
          delivered.some((row) => row.target === name && row.sha256 === hash && [proof].flat().includes(row.proof ?? "")),
          true,
          name,
        );
      }
      assertEquals(await observer.stop(), []);
      assertEquals(await stagingRemains(there), []);
      if (!crashed) assertEquals(successLines(await installation.log()), delivered.map(({ path }) => pathField(path)).sort());
    },
    async endsWell(daemon, rows, options) {
      const all = typeof rows === "number" ? await installation.until(everyDelivered(rows), 60) : rows;
      assertEquals(await daemon.stop(), 0);
      await rig.allIsWell(all, options);
    },
    async [Symbol.asyncDispose]() {
      await observer.stop();
      await proxy?.[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
      await ftpd?.[Symbol.asyncDispose]();
      if (!options.folder) await folder[Symbol.asyncDispose]();
    },
  };
  return rig;
}
let nextSeed = 1;

/** The keys of an account at an FTP server; its password is in a file. */
export async function loginTo(
  { host, port, user, password, ca }: Ftpd,
  folder: Pick<TempFolder, "write">,
): Promise<Readonly<Record<string, unknown>>> {
  const file = await folder.write("ftp-password", `${password}\n`);
  await Deno.chmod(file, 0o600);
  const login = { remote_host: host, remote_port: port, remote_user: user, password_file: file };
  return ca === null ? login : { ...login, tls_ca: ca };
}

export const everyDelivered = (count: number) => (rows: readonly DeliveryJson[]): boolean =>
  rows.filter(({ state }) => state === "delivered").length >= count &&
  rows.every(({ state }) => state !== "sending" && state !== "queued" && state !== "deferred");

/** Some delivery waits because of this. */
export const troubled = (code: string) => (rows: readonly DeliveryJson[]): boolean =>
  rows.some(({ error }) => error?.code === code);

/** Bytes of all files below the folder now. */
export function bytesIn(folder: string): number {
  let sum = 0;
  try {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      sum += isDirectory ? bytesIn(join(folder, name)) : Deno.statSync(join(folder, name)).size;
    }
  } catch (error) {
    // It was renamed meanwhile.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return sum;
}

/** Runs a program of the system to its end. @throws where it says that it failed. */
export async function tool(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** The names in a folder, sorted. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

export function successLines(log: string): string[] {
  return log.split("\n").flatMap((line) => line.split(" Successfully transferred ")[1] ?? []).sort();
}

/** Takes a mount away at the end of a test. */
export function unmounting(path: string): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => tool("sh", "-c", 'umount -l "$1" 2>/dev/null || true', "sh", path).then(() => {}) };
}

async function stagedBytes(folder: string): Promise<number> {
  let sum = 0;
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory && (name.startsWith(".image-transfer-") || folder.includes("/.image-transfer-"))) {
        sum += await stagedBytes(join(folder, name));
      } else if (folder.includes("/.image-transfer-")) sum += (await Deno.lstat(join(folder, name))).size;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return sum;
}

/** Changes keys of the configuration file; a running daemon reads it at the next start or reload. */
export async function configure(rig: Rig, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const { configFile } = rig.installation;
  await Deno.writeTextFile(configFile, JSON.stringify({ ...JSON.parse(await Deno.readTextFile(configFile)), ...changes }));
}
