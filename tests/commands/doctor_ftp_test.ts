import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { install } from "../support/daemon_process.ts";
import { type FtpdOptions, startFtpd } from "../support/ftpd.ts";
import { needs } from "../support/needs.ts";
import { stagingRemains } from "../support/observer.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { loginTo } from "../faults/rig.ts";

interface Found {
  readonly code: number;
  readonly text: string;
  /** Of the faults. */
  readonly faults: readonly { readonly code: string; readonly what: string; readonly hint: string }[];
}

/** What `doctor` finds at a server; `change` changes the keys and the environment. */
async function doctor(
  options: FtpdOptions,
  change: (
    keys: Readonly<Record<string, unknown>>,
    folder: TempFolder,
  ) => Record<string, unknown> | Promise<Record<string, unknown>>,
  env: (folder: TempFolder) => Record<string, string> = () => ({}),
): Promise<Found> {
  await using folder = await tempFolder();
  await using server = await startFtpd(options);
  await Deno.mkdir(folder.at("camera"));
  const keys = await loginTo(server, folder);
  const there = folder.at("archive");
  const config = {
    watch_path: folder.at("camera"),
    transfer_method: options.tls ? "ftps" : "ftp",
    ...(options.tls ? { tls_mode: options.tls } : {}),
    remote_base_path: there,
    minimum_free_space_gb: 0,
    transfer_timeout_seconds: 20,
    ...keys,
    ...await change(keys, folder),
  };
  const installation = await install(folder.path, config);
  const { code, stdout, stderr } = await installation.command(["doctor", "--json"], env(folder));
  assert(!`${stdout}${stderr}`.includes(server.password), "the password is shown");
  const findings = JSON.parse(stdout || "[]");
  if (code === 0) assertEquals(await stagingRemains(there), []);
  return { code, text: stdout + stderr, faults: findings.filter(({ level }: { level: string }) => level === "fault") };
}

Deno.test(
  "doctor tries the whole way over ftp and ftps, and says that ftp sends the password in clear",
  needs("vsftpd"),
  async () => {
    const plain = await doctor({}, () => ({}));
    assertEquals(plain.code, 0, plain.text);
    assertStringIncludes(plain.text, "A small file was written, verified, renamed, read and removed there");
    assertStringIncludes(plain.text, "FTP sends the password in clear");
    const safe = await doctor({ tls: "implicit" }, () => ({}));
    assertEquals(safe.code, 0, safe.text);
    assert(!safe.text.includes("in clear"), safe.text);
  },
);

const FAULTS: readonly {
  readonly name: string;
  readonly options: FtpdOptions;
  readonly change?: Parameters<typeof doctor>[1];
  readonly env?: Parameters<typeof doctor>[2];
  readonly code: string;
  readonly message: RegExp;
  readonly hint: RegExp;
}[] = [
  {
    name: "a refused login",
    options: {},
    change: () => ({ password_file: undefined, password: "wrong" }),
    code: "login_refused",
    message: /the login was refused \(530 /,
    hint: /Check remote_user and password/,
  },
  {
    name: "a certificate that nobody vouches for",
    options: { tls: "explicit" },
    change: () => ({ tls_ca: undefined }),
    code: "certificate_refused",
    message: /its certificate is not trusted/,
    hint: /set tls_ca/,
  },
  {
    name: "an unknown host",
    options: { tls: "explicit" },
    change: () => ({ remote_host: "ip6-localhost.invalid" }),
    code: "unreachable",
    message: /unknown host name/,
    hint: /Check remote_host/,
  },
  {
    name: "a tls_ca that is not there",
    options: { tls: "explicit" },
    change: () => ({ tls_ca: "/no/such/ca.pem" }),
    code: "configuration",
    message: /tls_ca cannot be read/,
    hint: /PEM/,
  },
  {
    name: "a server that takes logins over TLS only",
    options: { tls: "explicit" },
    change: () => ({ transfer_method: "ftp", tls_mode: undefined, tls_ca: undefined }),
    code: "configuration",
    message: /the server accepts logins over TLS only/,
    hint: /transfer_method: ftps/,
  },
  {
    name: "a server without TLS",
    options: {},
    change: () => ({ transfer_method: "ftps" }),
    code: "configuration",
    message: /the server does not offer TLS/,
    hint: /Enable TLS/,
  },
  {
    name: "the wrong tls_mode",
    options: { tls: "implicit" },
    change: () => ({ tls_mode: "explicit", transfer_timeout_seconds: 4 }),
    code: "unreachable",
    message: /does not respond like an FTP server/,
    hint: /tls_mode: implicit/,
  },
  {
    name: "passive ports that cannot be had",
    options: { config: ["pasv_enable=NO"] },
    code: "unreachable",
    message: /the data connection cannot be opened/,
    hint: /passive ports/,
  },
  {
    name: "an account that may not rename",
    options: { config: ["cmds_denied=RNTO"] },
    code: "permission_denied",
    message: /permission denied/,
    hint: /rename \(RNFR, RNTO\)/,
  },
  {
    name: "an account that may not write",
    options: { config: ["write_enable=NO"] },
    change: async (_, folder) => {
      await Deno.mkdir(folder.at("archive"));
      return {};
    },
    code: "permission_denied",
    message: /550 Permission denied/,
    hint: /permission/,
  },
  {
    name: "a missing curl",
    options: {},
    env: (folder) => ({ PATH: folder.path }),
    code: "tool_missing",
    message: /Cannot find the program "curl"/,
    hint: /Install curl/,
  },
  {
    name: "a password_file that others can read",
    options: {},
    change: async ({ password_file: file }) => {
      await Deno.chmod(String(file), 0o644);
      return {};
    },
    code: "configuration",
    message: /other accounts can read it/,
    hint: /chmod 600/,
  },
  {
    name: "a port where nobody listens",
    options: {},
    change: () => ({ remote_port: 1 }),
    code: "unreachable",
    message: /no FTP server is listening there/,
    hint: /remote_port/,
  },
];

for (const { name, options, change = () => ({}), env, code, message, hint } of FAULTS) {
  Deno.test(`doctor names ${name} (ftp), with the fix, and exits 1`, needs("vsftpd"), async () => {
    const found = await doctor(options, change, env);
    assertEquals([found.code, found.faults.map((fault) => fault.code)], [1, [code]], found.text);
    assertMatch(found.faults[0]!.what, message);
    assertMatch(found.faults[0]!.hint, hint);
  });
}

Deno.test("doctor names a full disk (ftp), with the fix, and exits 1", needs("vsftpd", "root"), async () => {
  await using folder = await tempFolder();
  await using disk = await mountSmallDisk(folder.at("disk"), 1);
  await Deno.writeFile(`${disk.path}/full`, new Uint8Array(1 << 20)).catch(() => undefined);
  const found = await doctor({}, () => ({ remote_base_path: disk.path }));
  assertEquals([found.code, found.faults.map((fault) => fault.code)], [1, ["disk_full"]], found.text);
  assertMatch(found.faults[0]!.hint, /Free some space/);
});

Deno.test("doctor does not take an emptied folder for another disk (ftp): FTP tells no device", needs("vsftpd"), async () => {
  await using folder = await tempFolder();
  await using server = await startFtpd();
  await folder.write("camera/a.fits", "content");
  const installation = await install(folder.path, {
    watch_path: folder.at("camera"),
    transfer_method: "ftp",
    remote_base_path: folder.at("archive"),
    ...await loginTo(server, folder),
  });
  const sent = await installation.command(["run", "--once"]);
  assertEquals(sent.code, 0, sent.stdout + sent.stderr);
  await Deno.remove(folder.at("archive", "a.fits"));
  const { code, stdout, stderr } = await installation.command(["doctor"]);
  assertEquals(code, 0, stdout + stderr);
});
