import { assertEquals, assertMatch } from "@std/assert";
import { needs, unpackedProgram } from "../support/needs.ts";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { linkFarm } from "../support/link_farm.ts";
import { rcloneConfig, type RcloneServer, startS3 } from "../support/rclone_servers.ts";
import { freePort, startProxy } from "../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

/** What `doctor` is tried with: S3 with the bucket `bucket`. */
interface Lab extends AsyncDisposable {
  readonly dir: TempFolder;
  readonly server: RcloneServer;
  doctor(
    config: string,
    remote_base_path?: string,
    env?: Record<string, string>,
  ): Promise<{ code: number; text: string; fault: string }>;
  /** Delivers what is in the watched folder. */
  once(): Promise<{ code: number }>;
}

async function lab(...options: readonly string[]): Promise<Lab> {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(await tempFolder());
  await Deno.mkdir(dir.at("camera"));
  await Deno.mkdir(dir.at("buckets", "bucket"), { recursive: true });
  const server = stack.use(await startS3(dir.at("buckets"), freePort(), ...options));
  const keysOf = async (section: string, remote_base_path: string) => ({
    watch_path: dir.at("camera"),
    transfer_method: "rclone",
    rclone_config: await rcloneConfig(dir, section),
    remote_base_path,
  });
  return {
    dir,
    server,
    async doctor(section, remote_base_path = "s3remote:bucket/images", env = {}) {
      const keys = await keysOf(section, remote_base_path);
      const { code, stdout, stderr } = await (await install(dir.path, keys)).command(["doctor", "--json"], env);
      const faults = (JSON.parse(stdout || "[]") as { level: string; code: string; what: string; hint: string }[])
        .filter(({ level }) => level === "fault");
      return { code, text: stdout + stderr, fault: faults.map(({ code, what, hint }) => `${code}: ${what}. ${hint}`).join("\n") };
    },
    async once() {
      const keys = await keysOf(server.section(), "s3remote:bucket/images");
      return await (await install(dir.path, { ...keys, min_file_age_seconds: 0.1 })).command(["run", "--once"]);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test(
  "doctor delivers a small file to S3 by rclone, and names what is wrong with a remote, with the fix",
  needs("rclone", "versitygw"),
  async () => {
    await using it = await lab();
    const { server, dir } = it;
    const right = server.section();
    const good = await it.doctor(right);
    assertMatch(good.text, /Connected by rclone: rclone v\S+, s3; the store's MD5/);
    assertMatch(good.text, /A small file was written/);
    assertEquals(good.code, 0, good.text);
    const names = await Array.fromAsync(Deno.readDir(dir.at("buckets", "bucket")));
    assertEquals(names.map(({ name }) => name).filter((name) => name !== ".sgwtmp"), []);
    await using late = startProxy(server.port, {
      // As from a computer whose clock is hours off.
      spoilUp(piece) {
        const { index = -1 } = /X-Amz-Date: \d{8}T/i.exec(new TextDecoder("latin1").decode(piece)) ?? {};
        if (index < 0) return;
        const hour = index + "X-Amz-Date: 20260101T".length;
        piece.set(new TextEncoder().encode(new Date().getUTCHours() < 12 ? "23" : "00"), hour);
      },
    });
    const faults: readonly [string, string, RegExp][] = [
      [right, "nosuch:bucket/images", /^configuration: .*rclone has no such remote.*Create the remote with "rclone config"/],
      [server.section(server.port, { secret_access_key: "wrong" }), "", /^login_refused: .*Check the keys/],
      [server.section(server.port, { access_key_id: "nobody" }), "", /^login_refused: .*Check the keys/],
      [server.section(freePort()), "", /^unreachable: .*Check the network, and the endpoint/],
      [server.section(late.port), "", /^login_refused: .*clock of this computer .*Set the clock/],
    ];
    for (const [section, base, expected] of faults) {
      const bad = await it.doctor(section, ...base === "" ? [] : [base]);
      assertEquals(bad.code, 1, bad.text);
      assertMatch(bad.fault, expected);
    }
    const missing = await it.doctor(right, "s3remote:new/images");
    assertEquals(missing.code, 0, missing.text);
    assertMatch(missing.text, /\"new\/images\\", did not exist: created/);
    // A bucket that was there once is not made again.
    await dir.write("camera/a.fits", fitsFile(3000, 1));
    assertEquals((await it.once()).code, 0);
    await Deno.rename(dir.at("buckets", "bucket"), dir.at("aside"));
    const gone = await it.doctor(right);
    assertMatch(gone.fault, /^device_missing: .*Create the bucket, or correct remote_base_path/);
  },
);

Deno.test(
  "doctor says what helps where S3 is read-only, and where rclone is missing or too old",
  needs("rclone", "versitygw", "oldRclone"),
  async () => {
    await using it = await lab("--readonly");
    const readOnly = await it.doctor(it.server.section());
    assertEquals(readOnly.code, 1, readOnly.text);
    assertMatch(readOnly.fault, /^permission_denied: .*Allow this account to list, read, write and delete/);
    const without = { PATH: await linkFarm(it.dir.at("without"), ["rclone"], {}) };
    assertMatch(
      (await it.doctor(it.server.section(), undefined, without)).fault,
      /^tool_missing: .*is not installed\. Install rclone 1\.73/,
    );
    const old = `#!/bin/sh\nexec ${unpackedProgram("rclone")} "$@"\n`;
    const tooOld = { PATH: await linkFarm(it.dir.at("old"), ["rclone"], { rclone: old }) };
    assertMatch(
      (await it.doctor(it.server.section(), undefined, tooOld)).fault,
      /^tool_missing: .*is too old\. Install rclone 1\.73/,
    );
  },
);
