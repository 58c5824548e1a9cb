import { assertEquals } from "@std/assert";
import { rclone } from "../../src/methods/rclone/rclone.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { has } from "../support/needs.ts";
import { rcloneConfig, type RcloneServer, sftpSection, startS3, startWebdav } from "../support/rclone_servers.ts";
import { startSshd } from "../support/sshd.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { conformance } from "./conformance.ts";
import { aDestination, diskView, type Mount, STAGING, type View } from "./rig.ts";

conformance({
  name: "rclone to S3",
  ignore: !has("rclone", "versitygw"),
  onDisk: false,
  durability: "unconfirmed",
  modes: 0,
  times: "always",
  // deno-lint-ignore no-control-regex -- they are what is refused
  refuses: /[\x07\x1b\u201b]/,
  // The server needs some bytes of its own.
  longestName: 205,
  async start() {
    const shared = await tempFolder();
    const server = await startS3(shared.at("buckets"));
    const config = await rcloneConfig(shared, server.section());
    let buckets = 0;
    return mountOf(shared, [server], () => {
      const basePath = `bucket-${++buckets}`;
      const view = diskView(shared.at("buckets", basePath));
      const facts = async (path: string) => await view.facts(path) && await objectFacts(config, `s3remote:${basePath}/${path}`);
      return { remote: "s3remote", basePath, config, view: { ...view, facts } };
    });
  },
});

conformance({
  name: "rclone to SFTP",
  ignore: !has("rclone", "sshd"),
  onDisk: true,
  sees: "names",
  durability: "unconfirmed",
  replacesInTwoSteps: true,
  modes: 0,
  times: "always",
  async start() {
    const shared = await tempFolder();
    const server = await startSshd();
    const config = await rcloneConfig(shared, await sftpSection(server, shared, server.port));
    return mountOf(shared, [server], (base) => ({ remote: "sftpremote", basePath: base, config, view: withoutModes(base) }));
  },
});

conformance({
  name: "rclone to WebDAV",
  ignore: !has("rclone"),
  onDisk: false,
  durability: "unconfirmed",
  replacesInTwoSteps: true,
  refuses: /\u201b/,
  modes: 0,
  times: "never",
  async start() {
    const shared = await tempFolder();
    const server = await startWebdav(shared.at("dav"));
    const config = await rcloneConfig(shared, server.section());
    let bases = 0;
    return mountOf(shared, [server], () => {
      const basePath = `base-${++bases}`;
      return {
        remote: "dav",
        basePath,
        config,
        view: { ...withoutModes(shared.at("dav", basePath)), write: overWebdav(server.port, basePath) },
      };
    });
  },
});

/** Where one rig leads. */
interface Place {
  readonly remote: string;
  readonly basePath: string;
  readonly config: string;
  readonly view: View;
}

function mountOf(
  shared: TempFolder,
  servers: readonly (RcloneServer | AsyncDisposable)[],
  placeOf: (base: string) => Place,
): Mount {
  return {
    rig: ({ base, settings }, folder) => {
      const at = settings?.basePath ?? base ?? folder.at("base", "images");
      const { remote, basePath, config, view } = placeOf(at.startsWith("/") ? at : `/${at}`);
      const transport = { method: "rclone" as const, remote, rcloneConfig: config };
      return Promise.resolve({
        method: rclone,
        destination: { ...aDestination({ ...settings, basePath }), transport },
        context: { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} },
        view,
        bytesSent: null,
      });
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
      await shared[Symbol.asyncDispose]();
    },
  };
}

function withoutModes(base: string): View {
  const view = diskView(base);
  return {
    ...view,
    async facts(path) {
      const facts = await view.facts(path);
      return facts && { ...facts, mode: 0 };
    },
  };
}

/** Writes through the server, which remembers what is in its folders. */
function overWebdav(port: number, base: string): View["write"] {
  return async (path, bytes) => {
    const parts = [base, ...path.split("/")].map(encodeURIComponent);
    const ask = async (method: string, count: number, body?: Uint8Array) => {
      const url = `http://127.0.0.1:${port}/${parts.slice(0, count).join("/")}`;
      const answer = await fetch(url, { method, ...(body ? { body: Uint8Array.from(body) } : {}) });
      await answer.body?.cancel();
      return answer.status;
    };
    for (let count = 1; count < parts.length; count++) await ask("MKCOL", count);
    assertEquals(await ask("PUT", parts.length, bytes), 201, path);
  };
}

/** The time of an object as another rclone sees it. */
async function objectFacts(config: string, path: string): Promise<{ mtimeMs: number; mode: number } | null> {
  const args = ["--config", config, "lsjson", "--stat", path];
  const { success, stdout } = await new Deno.Command("rclone", { args, stderr: "null" }).output();
  if (!success) return null;
  const found = JSON.parse(new TextDecoder().decode(stdout)) as { ModTime: string } | null;
  return found && { mtimeMs: Date.parse(found.ModTime), mode: 0 };
}
