/**
 * What every fault test needs: folders, a destination of the chosen kind, an installation, a witness at the destination.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import type { DeliveryJson } from "../../src/web/delivery_json.ts";
import { install, type Installation } from "../support/daemon_process.ts";
import { fitsFile, sha256 } from "../support/fits_maker.ts";
import { observe, type Observer, stagingRemains } from "../support/observer.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

export interface Rig extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly watched: string;
  readonly there: string;
  readonly installation: Installation;
  readonly observer: Observer;
  /** With a remote method: its server. */
  readonly server: Sshd | null;
  /** Writes a finished FITS file of about `bytes` into the watched folder and allows it at the destination. */
  expose(name: string, bytes?: number, seed?: number): Promise<string>;
  /** Everything exposed is delivered, proven, equal; no offence was seen; nothing is left over. */
  allIsWell(rows: readonly DeliveryJson[]): Promise<void>;
}

export interface RigOptions {
  readonly method: "local" | "rsync" | "scp" | "sftp";
  readonly config?: Readonly<Record<string, unknown>>;
  readonly there?: string;
  /** Port to connect to in place of the server's own (a proxy). */
  readonly port?: (server: Sshd) => number;
}

export async function makeRig(options: RigOptions): Promise<Rig> {
  const folder = await tempFolder();
  const [watched, there] = [folder.at("camera"), options.there ?? folder.at("archive")];
  await Deno.mkdir(watched);
  await Deno.mkdir(there, { recursive: true });
  const server = options.method === "local" ? null : await startSshd();
  const remote = server === null
    ? {}
    : options.port
    ? { remote_host: "127.0.0.1", remote_user: server.user, remote_port: options.port(server) }
    : { remote_host: server.host };
  const installation = await install(folder.path, {
    watch_path: watched,
    transfer_method: options.method,
    remote_base_path: there,
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    retry_delay: 1,
    ...remote,
    ...options.config,
  }, server?.env ?? {});
  const observer = observe(there);
  const latest = new Map<string, string>();
  return {
    folder,
    watched,
    there,
    installation,
    observer,
    server,
    async expose(name, bytes = 300_000, seed = nextSeed++) {
      const content = fitsFile(bytes, seed);
      const hash = await sha256(content);
      observer.allow(name, hash);
      latest.set(name, hash);
      await Deno.mkdir(dirname(join(watched, name)), { recursive: true });
      await Deno.writeFile(join(watched, name), content);
      return hash;
    },
    async allIsWell(rows) {
      const delivered = rows.filter(({ state }) => state === "delivered");
      assertEquals(rows.filter(({ state, error }) => state !== "delivered" && error?.code !== "superseded"), []);
      for (const [name, hash] of latest) {
        assertEquals(await sha256(await Deno.readFile(join(there, name))), hash, name);
        assertEquals(delivered.some((row) => row.target === name && row.sha256 === hash && row.proof === "checksum"), true, name);
      }
      assertEquals(await observer.stop(), []);
      assertEquals(await stagingRemains(there), []);
    },
    async [Symbol.asyncDispose]() {
      await observer.stop();
      await server?.[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
let nextSeed = 1;

export const everyDelivered = (count: number) => (rows: readonly DeliveryJson[]): boolean =>
  rows.filter(({ state }) => state === "delivered").length >= count &&
  rows.every(({ state }) => state !== "sending" && state !== "queued" && state !== "deferred");
