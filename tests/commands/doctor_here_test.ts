/** What doctor finds out on this computer before the first night does: ports, certificates, rights, patterns. */
import { assertEquals } from "@std/assert";
import type { Finding } from "../../src/commands/checks/finding.ts";
import { install } from "../support/daemon_process.ts";
import { needs } from "../support/needs.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

/** Root is told of rights only without the capabilities that pass them by. */
const ORDINARY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];

/** What doctor says of this configuration beyond the ordinary, and how it ends. */
async function doctor(folder: TempFolder, config: Record<string, unknown> = {}, through: readonly string[] = []) {
  for (const name of ["images", "nas"]) await Deno.mkdir(folder.at(name), { recursive: true });
  const { command } = await install(folder.path, {
    watch_path: folder.at("images"),
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    minimum_free_space_gb: 0,
    ...config,
  });
  const { code, stdout, stderr } = await command(["doctor", "--json"], {}, through);
  const findings: Finding[] = stdout === "" ? [] : JSON.parse(stdout);
  const plain = (text: string) => text.replaceAll(folder.path, "").replaceAll(/:\d{4,5}\b/g, ":PORT");
  return {
    code,
    stderr,
    told: findings.filter(({ level }) => level !== "ok").map(({ level, what, hint }) => `${level}: ${plain(what)} → ${hint}`),
    fine: findings.filter(({ level }) => level === "ok").map(({ what }) => plain(what)),
  };
}

async function certificate(folder: TempFolder, name: string): Promise<void> {
  const args = ["-keyout", folder.at(`${name}.key`), "-out", folder.at(`${name}.crt`), "-days", "2", "-subj", "/CN=localhost"];
  const made = await new Deno.Command("openssl", {
    args: ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", ...args],
  }).output();
  assertEquals(made.code, 0);
}

Deno.test("doctor says what the patterns want of the files that are there", async () => {
  await using folder = await tempFolder();
  for (const name of ["images/a.fits", "images/b.FIT", "images/notes.txt"]) await folder.write(name, "x");
  const { code, told, fine } = await doctor(folder);
  assertEquals([code, told, fine.filter((what) => /^Watches/.test(what))], [0, [], ["Watches /images: 2 of 3 files match"]]);
});

Deno.test("doctor says when no file matches, and names one", async () => {
  await using folder = await tempFolder();
  await folder.write("images/night/m31.nef", "x");
  const { code, told } = await doctor(folder, { file_patterns: ["*.fits", "*.fit"], exclude_patterns: ["*_bad*"] });
  assertEquals(told, [
    'warning: The only file in "/images", "night/m31.nef", does not match file_patterns (*.fits *.fit) and is not excluded (*_bad*) ' +
    "→ If the camera writes such files, add a pattern for them to file_patterns.",
  ]);
  assertEquals(code, 0);
});

Deno.test("doctor says when the port of the page is taken, and not when the daemon itself has it", async () => {
  await using folder = await tempFolder();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, told } = await doctor(folder, { web: { listen: `127.0.0.1:${taken.addr.port}` } });
  assertEquals(told, [
    "warning: Cannot show the page at 127.0.0.1:PORT: another program is using this port → Choose another port in web.listen, " +
    "or port 0 for any free port. Delivery does not need the page.",
  ]);
  assertEquals(code, 0);
  taken.close();
  assertEquals(
    (await doctor(folder, { web: { listen: `127.0.0.1:${taken.addr.port}` } })).fine.includes(
      "The page can be served at 127.0.0.1:PORT",
    ),
    true,
  );
});

Deno.test("doctor finds the page of the daemon that runs", async () => {
  await using folder = await tempFolder();
  await Deno.mkdir(folder.at("images"));
  const { start, command } = await install(folder.path, {
    watch_path: folder.at("images"),
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    minimum_free_space_gb: 0,
    web: { listen: "127.0.0.1:0" },
  });
  await using _daemon = await start();
  const { code, stdout } = await command(["doctor"]);
  assertEquals([code, /✓ The page is at http:\/\/127\.0\.0\.1:\d+\/\n/.test(stdout)], [0, true], stdout);
});

Deno.test(
  "doctor names certificates and keys that are missing, unreadable, junk or do not belong together",
  needs("openssl", "root"),
  async () => {
    await using folder = await tempFolder();
    await certificate(folder, "a");
    await certificate(folder, "b");
    await Deno.chmod(await folder.write("junk", "junk\n"), 0o600);
    const tls = async (cert: string, key: string, through: readonly string[] = []) => {
      const web = { listen: "127.0.0.1:0", tls_cert: folder.at(cert), tls_key: folder.at(key) };
      const { code, told } = await doctor(folder, { web }, through);
      return [code, ...told.map((one) => one.replace("fault: Cannot show the page at 127.0.0.1:0: ", ""))];
    };
    assertEquals(await tls("a.crt", "a.key"), [0]);
    assertEquals(await tls("none.crt", "a.key"), [
      1,
      'cannot read web.tls_cert "/none.crt": No such file or directory → Correct the path in web.tls_cert, or give this account read access to the file.',
    ]);
    assertEquals(await tls("a.crt", "b.key"), [
      1,
      'web.tls_key "/b.key" does not match web.tls_cert "/a.crt" → Set web.tls_key to the key of this certificate.',
    ]);
    assertEquals(await tls("junk", "a.key"), [
      1,
      'web.tls_cert "/junk" does not contain a usable certificate: No certificates found in certificate data → Set web.tls_cert to a certificate in PEM format.',
    ]);
    assertEquals(await tls("a.crt", "junk"), [
      1,
      'web.tls_key "/junk" does not contain a usable key: No keys found in key data → Set web.tls_key to a private key in PEM format without a passphrase.',
    ]);
    await Deno.chmod(folder.at("a.key"), 0);
    assertEquals(await tls("a.crt", "a.key", ORDINARY), [
      1,
      'cannot read web.tls_key "/a.key": Permission denied → Correct the path in web.tls_key, or give this account read access to the file.',
    ]);
  },
);

Deno.test(
  "doctor names a pid_file that cannot be written, and folders of the camera that cannot be read",
  needs("root"),
  async () => {
    await using folder = await tempFolder();
    await folder.write("images/a.fits", "x");
    for (const name of ["images/closed", "images/.hidden", "run"]) await Deno.mkdir(folder.at(name));
    for (const name of ["images/closed", "images/.hidden", "run"]) await Deno.chmod(folder.at(name), 0o000);
    const { code, told } = await doctor(folder, { pid_file: folder.at("run/it.pid") }, ORDINARY);
    assertEquals(told, [
      'warning: Cannot write pid_file "/run/it.pid": Permission denied → Make its folder writable for this account, or remove pid_file ' +
      "from the configuration; it is optional.",
      'fault: Cannot list "closed": Permission denied → Give the account that runs image-transfer permission to read the folder, ' +
      "or leave it out with exclude_patterns; it is retried at the next rescan.",
    ]);
    assertEquals(code, 1);
    await Deno.chmod(folder.at("run"), 0o700);
    await Deno.remove(folder.at("images/closed"));
    const fine = await doctor(folder, { pid_file: folder.at("run/it.pid") }, ORDINARY);
    assertEquals([fine.code, fine.told, fine.fine.includes("pid_file /run/it.pid can be written")], [0, [], true]);
    assertEquals(await Array.fromAsync(Deno.readDir(folder.at("run"))), []);
  },
);
