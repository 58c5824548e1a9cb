/** What the method rclone says and proves, against a real rclone and a real S3 server. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { FailureCode } from "../../../src/domain/failure.ts";
import type { MethodContext, Session, Upload } from "../../../src/methods/method.ts";
import { rclone } from "../../../src/methods/rclone/rclone.ts";
import { rcloneFailure } from "../../../src/methods/rclone/rclone_failures.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { aDestination, digestOf, ignoreBytes, makeSource, noise, publication, STAGING, upload } from "../../conformance/rig.ts";
import { has, needs, unpackedProgram } from "../../support/needs.ts";
import { treeOf } from "../../support/process_tree.ts";
import { rcloneConfig, type RcloneServer, sftpSection, startS3, startSimpleS3 } from "../../support/rclone_servers.ts";
import { startSshd } from "../../support/sshd.ts";
import { freePort, startProxy } from "../../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;

interface Lab extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly server: RcloneServer;
  readonly config: string;
  /** What another rclone does there. */
  byHand(...args: string[]): Promise<string>;
  /** Another computer puts this object now: nothing here runs until it is there. */
  putNow(name: string, text: string): void;
  connect(options?: { remote?: string; basePath?: string; config?: string; context?: Partial<MethodContext> }): Promise<Session>;
}

async function lab(start: (folder: string) => Promise<RcloneServer> = startS3): Promise<Lab> {
  const folder = await tempFolder();
  const server = await start(folder.at("buckets"));
  const config = await rcloneConfig(folder, server.section());
  const context = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
  return {
    folder,
    server,
    config,
    async byHand(...args) {
      const { success, stdout, stderr } = await new Deno.Command("rclone", { args: ["--config", config, ...args] }).output();
      assert(success, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    },
    putNow: (name, text) =>
      putNow(folder.at("other"), text, ["--config", config, "copyto", folder.at("other"), `s3remote:bucket/${name}`]),
    connect: ({ remote = "s3remote", basePath = "bucket", config: other = config, context: changes } = {}) => {
      const transport = { method: "rclone" as const, remote, rcloneConfig: other };
      return rclone.connect({ ...aDestination({ basePath }), transport }, { ...context, ...changes }, signal);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function putNow(path: string, text: string, args: string[]): void {
  Deno.writeTextFileSync(path, text);
  assert(new Deno.Command("rclone", { args }).outputSync().success);
}

Deno.test(
  "rclone: digest() says what showed it: the MD5 of S3 for what was sent in one piece, reading back for all else",
  needs("rclone", "versitygw"),
  async () => {
    await using it = await lab();
    await using session = await it.connect();
    await session.attach(true, signal);
    assertEquals(session.proof, "checksum");
    const content = noise(12 << 20);
    const file = await makeSource(it.folder.at("source"), "a.fits", content);
    const uploads = [upload(file, 1), upload(file, 2)];
    assertEquals((await session.put(uploads, ignoreBytes, signal)).map(({ put }) => put), [true, true]);
    const digest = await digestOf(content);
    assertEquals(await session.digest(uploads.map(({ staged }) => staged), signal), [
      { ...digest, shownBy: "md5" },
      { ...digest, shownBy: "md5" },
    ]);
    // Somebody else puts other bytes there: its hash is not ours, so the bytes are looked at.
    const other = await it.folder.write("other", noise(12 << 20, 2));
    await it.byHand("copyto", other, `s3remote:bucket/${STAGING}/a1/2`);
    const [, second] = await session.digest(uploads.map(({ staged }) => staged), signal);
    assertEquals(second, { ...await digestOf(noise(12 << 20, 2)), shownBy: "read_back" });
    // In several pieces, and with a client's word for an MD5 that is not true.
    const lie = ["--header-upload", `X-Amz-Meta-Md5chksum: ${btoa("0123456789abcdef")}`];
    await it.byHand(
      "copyto",
      it.folder.at("source", "a.fits"),
      "s3remote:bucket/parts",
      "--s3-upload-cutoff=5M",
      "--ignore-checksum",
      ...lie,
    );
    assertEquals(await session.digest(["parts"], signal), [{ ...digest, shownBy: "read_back" }]);
    const [published] = await session.publish([publication(`${STAGING}/a1/1`, "n/a.fits")], signal);
    assertEquals(published, { published: true });
    assertEquals(await it.byHand("md5sum", "s3remote:bucket/n"), await it.byHand("md5sum", it.folder.at("source")));
  },
);

Deno.test(
  "rclone: in S3 a small file has its final name at once, by one request and proven; what cannot be so is staged",
  needs("rclone", "versitygw"),
  async () => {
    await using it = await lab();
    await using session = await it.connect();
    await session.attach(true, signal);
    await it.folder.write("buckets/bucket/n/taken.fits", "other bytes");
    const file = async (name: string, target: string, bytes = 100_000): Promise<Upload> => {
      const source = await makeSource(it.folder.at("source"), name, noise(bytes, name.length));
      return { ...upload(source, ++files), target };
    };
    let files = 0;
    const [free, taken, large, hostile] = [
      await file("free", "n/free.fits"),
      await file("taken1", "n/taken.fits"),
      await file("large67", "large.fits", 9 << 20),
      await file("hostile8", "n/*.fits"),
    ];
    // Rewritten since it was admitted, with its length and its time.
    const rewritten = await file("rewritten", "n/rewritten.fits");
    const { absolutePath, mtimeMs } = rewritten.source;
    await Deno.writeFile(absolutePath, noise(100_000, 77));
    await Deno.utime(absolutePath, new Date(mtimeMs), new Date(mtimeMs));
    const changed = { ...rewritten, source: { ...rewritten.source, ctimeMs: rewritten.source.ctimeMs - 1000 } };
    const uploads = [free, taken, large, hostile, changed];
    assertEquals((await session.put(uploads, ignoreBytes, signal)).map(({ put }) => put), uploads.map(() => true));
    const visible = async () => (await it.byHand("lsf", "-R", "--files-only", "s3remote:bucket")).trim().split("\n").sort();
    const staged = uploads.slice(1).map(({ staged }) => staged);
    assertEquals(await visible(), [...staged, "n/free.fits", "n/taken.fits"].sort());
    const [proof] = await session.digest([free.staged], signal);
    assertEquals(proof, { ...await digestOf(noise(100_000, 4)), shownBy: "md5" });
    const outcomes = await session.publish(uploads.map(({ staged, target }) => publication(staged, target!)), signal);
    assertEquals(outcomes.map((outcome) => outcome.published && (outcome.former ?? true)), [
      true,
      "n/taken.v1.fits",
      true,
      true,
      true,
    ]);
    const names = ["large.fits", "n/*.fits", "n/free.fits", "n/rewritten.fits", "n/taken.fits", "n/taken.v1.fits"];
    assertEquals(await visible(), names);
    assertEquals(await it.byHand("lsf", "--format", "t", "s3remote:bucket/n/free.fits"), "2026-07-05 20:00:00\n");
  },
);

for (
  const [what, start] of [
    ["that can be told to replace nothing", (folder: string) => startS3(folder)],
    ["that cannot be told so", startSimpleS3],
  ] as const
) {
  Deno.test(
    `rclone: in a store ${what}, a name that another computer takes while a batch is being put is left alone`,
    needs("rclone", "versitygw"),
    async () => {
      await using it = await lab(start);
      await using session = await it.connect();
      await session.attach(true, signal);
      const uploads = await Promise.all(Array.from({ length: 200 }, async (_, index): Promise<Upload> => {
        const source = await makeSource(it.folder.at("source"), `s${index}`, `image ${index}`);
        return { ...upload(source, index + 1), target: `f${index}.fits` };
      }));
      let isTaken = false;
      const outcomes = await session.put(uploads, () => {
        if (isTaken) return;
        isTaken = true;
        it.putNow("f199.fits", "of another computer");
      }, signal);
      assertEquals(outcomes.map(({ put }) => put), uploads.map(() => true));
      assertEquals(await Deno.readTextFile(it.folder.at("buckets/bucket/f199.fits")), "of another computer");
      const [outcome] = await session.publish([publication(uploads[199]!.staged, "f199.fits")], signal);
      assertEquals(outcome?.published && outcome.former, "f199.v1.fits");
    },
  );
}

Deno.test(
  "rclone: a name that is taken at the moment of the request is left alone, and the file is staged",
  needs("rclone", "versitygw"),
  async () => {
    await using it = await lab();
    const taken = it.folder.at("buckets/bucket/late.fits");
    await using proxy = startProxy(it.server.port, {
      spoilUp(piece) {
        const request = new TextDecoder().decode(piece.subarray(0, 200));
        if (request.startsWith("PUT /bucket/late.fits")) it.putNow("late.fits", "of another computer");
      },
    });
    await using session = await it.connect({ config: await it.folder.write("proxied.conf", it.server.section(proxy.port)) });
    await session.attach(true, signal);
    const source = await makeSource(it.folder.at("source"), "late.fits", "an image");
    const one = { ...upload(source, 1), target: "late.fits" };
    assertEquals((await session.put([one], ignoreBytes, signal)).map(({ put }) => put), [true]);
    assertEquals(await Deno.readTextFile(taken), "of another computer");
    assertEquals(await session.publish([publication(one.staged, "late.fits")], signal), [
      { published: true, former: "late.v1.fits" },
    ]);
    assertEquals(await it.byHand("cat", "s3remote:bucket/late.fits"), "an image");
    // What the question to the store has left.
    await session.sweep(["a1"], signal);
    assertEquals(await session.leftovers(signal), []);
  },
);

Deno.test(
  "rclone: a file that could be rewritten without a trace while it is copied is staged: on FAT for two seconds",
  needs("rclone", "versitygw"),
  async () => {
    await using it = await lab();
    await using session = await it.connect();
    await session.attach(true, signal);
    const put = async (name: string, number: number, mtimeMs: number) => {
      const source = await makeSource(it.folder.at("source"), name, `image ${name}`, { mtimeMs });
      const one = { ...upload(source, number), target: name };
      assertEquals((await session.put([one], ignoreBytes, signal)).map(({ put }) => put), [true]);
      return one.staged;
    };
    const tick = Math.floor(Date.now() / 2_000) * 2_000;
    const fresh = await put("fresh.fits", 1, tick + 2_000);
    await put("old.fits", 2, tick - 4_000);
    await put("fine.fits", 3, tick - 1);
    const visible = (await it.byHand("lsf", "-R", "--files-only", "s3remote:bucket")).trim().split("\n").sort();
    assertEquals(visible, [fresh, "fine.fits", "old.fits"].sort());
  },
);

Deno.test(
  "rclone: a store whose hash is not that of the bytes has them read back; damaged ones lose their name again",
  needs("rclone", "versitygw"),
  async () => {
    await using it = await lab();
    let damages = false;
    await using proxy = startProxy(it.server.port, {
      spoil(piece) {
        const text = Array.from(piece, (byte) => String.fromCharCode(byte)).join("");
        // What a store with keys of its own tells; then a disk that loses a bit.
        for (const { index } of text.matchAll(/<ETag>(?:&#34;|")?/g)) piece.set(new TextEncoder().encode("00000000"), index + 12);
        const pixels = damages ? text.indexOf("PIXELS") : -1;
        if (pixels >= 0) piece[pixels]! ^= 1;
      },
    });
    const config = await it.folder.write("proxied.conf", it.server.section(proxy.port));
    await using session = await it.connect({ config });
    await session.attach(true, signal);
    const put = async (name: string, number: number) => {
      const source = await makeSource(it.folder.at("source"), name, `PIXELS of ${name}`);
      const one = { ...upload(source, number), target: name };
      const [outcome] = await session.put([one], ignoreBytes, signal);
      return { outcome, staged: one.staged };
    };
    const good = await put("good.fits", 1);
    assertEquals(await session.digest([good.staged], signal), [{
      ...await digestOf("PIXELS of good.fits"),
      shownBy: "read_back",
    }]);
    assertEquals(await Deno.readTextFile(it.folder.at("buckets/bucket/good.fits")), "PIXELS of good.fits");
    damages = true;
    const { outcome } = await put("damaged.fits", 2);
    assert(outcome && !outcome.put);
    assertEquals(outcome.failure.code, "mismatch");
    assertEquals(await it.byHand("lsf", "-R", "--files-only", "s3remote:bucket"), "good.fits\n");
  },
);

Deno.test(
  "rclone: a link in the place of our folder is found out over SFTP, and nothing behind it is listed or removed",
  needs("rclone", "sshd"),
  async () => {
    await using folder = await tempFolder("/tmp");
    await using server = await startSshd();
    const config = await rcloneConfig(folder, await sftpSection(server, folder, server.port));
    const files = ["documents/thesis.txt", ".ssh/id"];
    for (const file of files) await folder.write(`home/${file}`, file);
    await Deno.mkdir(folder.at("base"));
    await Deno.symlink(folder.at("home"), folder.at("base", STAGING));
    const transport = { method: "rclone" as const, remote: "sftpremote", rcloneConfig: config };
    const context = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
    await using session = await rclone.connect(
      { ...aDestination({ basePath: folder.at("base") }), transport },
      context,
      signal,
    );
    for (
      const act of [
        () => session.attach(true, signal, "p1"),
        () => session.leftovers(signal),
        () => session.sweep(null, signal),
      ]
    ) await rejectsWith(act, ["staging_unsafe"]);
    for (const file of files) assertEquals(await folder.read(`home/${file}`), file);
    await Deno.remove(folder.at("base", STAGING));
    await session.attach(true, signal, "p1");
    assertEquals(await session.leftovers(signal), ["p1"]);
    await session.sweep(null, signal);
    assertEquals(await Array.fromAsync(Deno.readDir(folder.at("base"))), []);
  },
);

Deno.test(
  "rclone: a bucket that is there is used as it is, and the probe in it goes with the sweep",
  needs("rclone", "versitygw"),
  async () => {
    await using it = await lab();
    await it.byHand("mkdir", "s3remote:bucket");
    await using session = await it.connect();
    for (const probe of ["p1", "p2"]) assertEquals((await session.attach(true, signal, probe)).made, undefined);
    assertEquals((await session.leftovers(signal)).sort(), ["p1", "p2"]);
    await session.sweep(null, signal);
    assertEquals(await it.byHand("ls", "s3remote:bucket"), "");
  },
);

for (const setting of ["RCLONE_VERBOSE=2", "RCLONE_QUIET=true", "RCLONE_LOG_FILE=/dev/null", "RCLONE_RC_BASEURL=x"]) {
  Deno.test(
    `rclone: it serves also where the environment has ${setting}, meant for a person's own rclone`,
    needs("rclone"),
    async () => {
      await using folder = await tempFolder();
      await folder.write("rclone.conf", "[here]\ntype = local\n");
      const system = createSystem();
      const [name = "", value = ""] = setting.split("=");
      const spawn: typeof system.spawn = (command, ...rest) =>
        system.spawn({ ...command, env: { [name]: value, ...command.env } }, ...rest);
      const context = { system: { ...system, spawn }, stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
      const transport = { method: "rclone" as const, remote: "here", rcloneConfig: folder.at("rclone.conf") };
      await using session = await rclone.connect(
        { ...aDestination({ basePath: folder.at("base") }), transport },
        context,
        signal,
      );
      assertEquals((await session.attach(true, signal)).made, true);
    },
  );
}

Deno.test("rclone: nothing secret is in the arguments of a process, and rclone answers nobody without its password", {
  ignore: !has("rclone", "versitygw") || Deno.build.os !== "linux",
}, async () => {
  await using it = await lab();
  await using session = await it.connect();
  assertEquals(session.resumes, false);
  const tree = await treeOf(Deno.pid);
  const lines = await Promise.all(tree.map((pid) => Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "")));
  const rcd = lines.find((line) => line.includes("rclone\0rcd"));
  assert(rcd, "no rclone rcd");
  const port = /--rc-addr=127\.0\.0\.1:(\d+)/.exec(rcd)?.[1];
  const environment = await Deno.readTextFile(`/proc/${tree[lines.indexOf(rcd)]}/environ`);
  const secret = /RCLONE_RC_PASS=(\w{64})/.exec(environment)?.[1];
  assert(secret, "no password in the environment");
  assertEquals(lines.filter((line) => line.includes(secret)), []);
  const refused = await fetch(`http://127.0.0.1:${port}/core/version`, { method: "POST" });
  await refused.body?.cancel();
  assertEquals(refused.status, 401);
});

Deno.test(
  "rclone: every fault of a remote has its own failure, with what helps, and soon",
  needs("rclone", "versitygw"),
  async () => {
    await using it = await lab();
    const wrongKeys = await it.folder.write("wrong.conf", it.server.section(it.server.port, { secret_access_key: "wrong" }));
    const nobody = await it.folder.write("nobody.conf", it.server.section(freePort()));
    const attach = async (options: Parameters<Lab["connect"]>[0]) => {
      await using session = await it.connect(options);
      await session.attach(false, signal);
    };
    const faults: readonly [Parameters<Lab["connect"]>[0], FailureCode, "hold" | "later", RegExp][] = [
      [{ remote: "nosuch" }, "configuration", "hold", /rclone config/],
      [{ config: it.folder.at("missing.conf") }, "configuration", "hold", /rclone config/],
      [{ config: wrongKeys }, "login_refused", "hold", /keys/],
      [{ basePath: "no-such-bucket/images" }, "device_missing", "hold", /bucket/],
      [{ config: nobody }, "unreachable", "later", /endpoint/],
    ];
    for (const [options, code, next, hint] of faults) {
      const began = performance.now();
      const failure = await rejectsWith(() => attach(options), [code]);
      assertEquals(failure.next, next, failure.message);
      assertMatch(failure.hint, hint);
      assert(performance.now() - began < 20_000, `${code} took too long`);
    }
  },
);

Deno.test(
  "rclone: a store that goes away in the middle of a batch is noticed at once, not file by file",
  needs("rclone", "versitygw"),
  async () => {
    await using it = await lab();
    await using session = await it.connect();
    await session.attach(true, signal);
    const uploads: Upload[] = [];
    for (let number = 0; number < 200; number++) {
      uploads.push(upload(await makeSource(it.folder.at("source"), `${number}`, noise(1000, number + 1)), number));
    }
    await it.server[Symbol.asyncDispose]();
    const began = performance.now();
    await rejectsWith(() => session.put(uploads, ignoreBytes, signal), ["unreachable"]);
    assert(performance.now() - began < 20_000, "it tried them all");
  },
);

Deno.test("rclone: what a run that was killed left running is ended by the next", {
  ignore: !has("rclone", "versitygw") || Deno.build.os !== "linux",
}, async () => {
  await using it = await lab();
  const transport = { method: "rclone", remote: "s3remote", rcloneConfig: it.config };
  const destination = { ...aDestination({ basePath: "bucket" }), transport };
  const from = (path: string) => JSON.stringify(new URL(`../../../src/${path}`, import.meta.url).href);
  const program = await it.folder.write(
    "killed.ts",
    `import { rclone } from ${from("methods/rclone/rclone.ts")};
import { createSystem } from ${from("system/create_system.ts")};
const context = { system: createSystem(), stagingRoot: ${JSON.stringify(STAGING)}, workFolder: ${
      JSON.stringify(it.folder.at("work"))
    }, log: () => {} };
await rclone.connect(${JSON.stringify(destination)}, context, new AbortController().signal);
console.log("open");
setInterval(() => {}, 1000);
`,
  );
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", "--config", config, program];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "inherit", stdin: "null" }).spawn();
  const reader = child.stdout.getReader();
  assertMatch(new TextDecoder().decode((await reader.read()).value), /open/);
  const [orphan] = (await treeOf(child.pid)).slice(1);
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  assert(await isAlive(orphan!), "it ended by itself");
  const told: string[] = [];
  await using _session = await it.connect({ context: { log: (_level, message) => void told.push(message) } });
  assertMatch(told.join("\n"), /Ending the rclone for nas that an earlier run left/);
  for (let look = 0; look < 100 && await isAlive(orphan!); look++) await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(await isAlive(orphan!), false);
});

Deno.test("rclone: one that is too old is refused by its version", needs("rclone", "oldRclone"), async () => {
  await using it = await lab();
  const system = createSystem();
  const which = (program: string) =>
    program === "rclone" ? Promise.resolve(unpackedProgram("rclone") ?? null) : system.which(program);
  const failure = await rejectsWith(() => it.connect({ context: { system: { ...system, which } } }), ["tool_missing"]);
  assertMatch(failure.message, /rclone v1\.60\.\S+ is too old/);
  assertMatch(failure.hint, /rclone\.org/);
  const none = { ...system, which: () => Promise.resolve(null) };
  assertMatch((await rejectsWith(() => it.connect({ context: { system: none } }), ["tool_missing"])).message, /not installed/);
});

const SAID: readonly [string, FailureCode][] = [
  ["api error NoSuchBucket: The specified bucket does not exist", "device_missing"],
  ["api error AccessDenied: Access Denied", "permission_denied"],
  ["api error InvalidAccessKeyId: The AWS Access Key Id you provided does not exist", "login_refused"],
  ["StatusCode: 404, api error XAdminUserNotFound: No user exists with the provided access key ID.", "login_refused"],
  ["StatusCode: 403, api error RequestTimeTooSkewed: The difference between the request time and", "login_refused"],
  ["tls: failed to verify certificate: x509: certificate signed by unknown authority", "certificate_refused"],
  ["api error SlowDown: Please reduce your request rate", "unreachable"],
  ["Put: 507 Insufficient Storage", "disk_full"],
  ["googleapi: Error 403: The user's Drive storage quota has been exceeded., storageQuotaExceeded", "disk_full"],
  ["dial tcp: lookup s3.example.org on 127.0.0.53:53: no such host", "unreachable"],
  ["couldn't connect SSH: ssh: handshake failed: knownhosts: key is unknown", "host_key_unknown"],
  ["couldn't connect SSH: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none]", "login_refused"],
  ["something that nobody has seen before", "interrupted"],
];

for (const [said, code] of SAID) {
  Deno.test(`rcloneFailure() takes "${said.slice(0, 60)}" for ${code}`, () => {
    const failure = rcloneFailure(said, "send files");
    assertEquals(failure.code, code);
    assert(failure.hint !== "");
  });
}

async function isAlive(pid: number): Promise<boolean> {
  try {
    return !/^State:\s+Z/m.test(await Deno.readTextFile(`/proc/${pid}/status`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
