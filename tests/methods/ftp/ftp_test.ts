import { assertEquals, assertMatch } from "@std/assert";
import { featuresOf, ftp } from "../../../src/methods/ftp/ftp.ts";
import { connectionFailure } from "../../../src/methods/ftp/ftp_failures.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { anFtpServer } from "../../conformance/over_ftpd.ts";
import { digestOf, diskView, STAGING } from "../../conformance/rig.ts";
import { startFtpd } from "../../support/ftpd.ts";
import { needs } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";

Deno.test("featuresOf() knows the hash that a server has, and how it sets times", () => {
  const features = (...lines: string[]) => featuresOf({ code: 211, lines: ["Features:", ...lines, "End"] });
  assertEquals(features(" HASH CRC32;MD5;SHA-256*", " MFMT", " UTF8", " MLST type*;size*;"), {
    mlst: true,
    setsTimes: "MFMT",
    utf8: true,
    hash: "HASH",
  });
  assertEquals(features(" XSHA256", " HASH MD5;SHA-1").hash, "XSHA256");
  assertEquals(features(" XMD5", " XCRC").hash, null);
  assertEquals(featuresOf({ code: 500, lines: ["FEAT not understood"] }).setsTimes, "MDTM");
});

Deno.test(
  "ftp is proven by proftpd's own SHA-256, and by reading back where there is none",
  needs("vsftpd", "ftpds"),
  async () => {
    for (const [kind, proof] of [["proftpd", "checksum"], ["vsftpd", "read_back"]] as const) {
      await using folder = await tempFolder();
      await using server = await startFtpd({ kind });
      const destination = anFtpServer(server, undefined, { basePath: folder.at("base") });
      const signal = new AbortController().signal;
      const context = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
      await using session = await ftp.connect(destination as Parameters<typeof ftp.connect>[0], context, signal);
      await session.attach(true, signal);
      await diskView(folder.at("base")).write("a b.fits", new TextEncoder().encode("content"));
      assertEquals(session.proof, proof);
      assertEquals(await session.digest(["a b.fits", "none"], signal), [await digestOf("content"), null]);
    }
  },
);

Deno.test(
  "what a server with a hash does not hash is read back, and that is what is told",
  needs("vsftpd", "ftpds"),
  async () => {
    await using folder = await tempFolder();
    await using server = await startFtpd({ kind: "proftpd", config: ["DigestMaxSize 10"] });
    const destination = anFtpServer(server, undefined, { basePath: folder.at("base") });
    const signal = new AbortController().signal;
    const context = { system: createSystem(), stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
    await using session = await ftp.connect(destination as Parameters<typeof ftp.connect>[0], context, signal);
    await session.attach(true, signal);
    const view = diskView(folder.at("base"));
    for (const content of ["small", "larger than ten"]) await view.write(content, new TextEncoder().encode(content));
    assertEquals(await session.digest(["larger than ten", "small"], signal), [
      { ...await digestOf("larger than ten"), shownBy: "read_back" },
      await digestOf("small"),
    ]);
  },
);

const REACHED = { name: "nas", transport: { method: "ftp", host: "nas", port: null } };
const TOLD = [
  [67, "USER o", 530, "Login incorrect.", "login_refused", "hold"],
  [67, "PASS p", 530, "Sorry, the maximum number of clients (5) from your host are already connected.", "unreachable", "later"],
  [8, "(connect)", 421, "Too many connections", "unreachable", "later"],
  [25, "STOR /a", 425, "Can't open data connection.", "unreachable", "later"],
  [55, "STOR /a", 150, "Ok to send data.", "interrupted", "later"],
  [28, "NOOP", 200, "fine", "timeout", "later"],
  [7, "EPSV", 229, "Entering Extended Passive Mode (|||5|)", "unreachable", "later"],
  [67, "USER o", 530, "Non-anonymous sessions must use encryption.", "configuration", "hold"],
] as const;

for (const [exit, command, code, text, expected, next] of TOLD) {
  Deno.test(`connectionFailure() says ${expected} of curl's ${exit} after "${code} ${text}"`, () => {
    const exchanges = [{ command: "PWD", replies: [{ code: 257, lines: ['"/"'] }] }, {
      command,
      replies: [{ code, lines: [text] }],
    }];
    const failure = connectionFailure({ exit, error: "curl said so", exchanges }, REACHED);
    assertEquals([failure?.code, failure?.next], [expected, next]);
    assertMatch(failure!.message, /^Cannot use nas: /);
    assertEquals(failure!.hint === "", false);
  });
}

Deno.test("connectionFailure() leaves a refused file to itself", () => {
  const exchanges = [{ command: "STOR /a", replies: [{ code: 553, lines: ["Could not create file."] }] }];
  assertEquals(connectionFailure({ exit: 25, error: "", exchanges }, REACHED), null);
});
