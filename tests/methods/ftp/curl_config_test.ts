import { assert, assertEquals } from "@std/assert";
import { curlConfig, type FtpLogin, type Transfer } from "../../../src/methods/ftp/curl_config.ts";
import { tempFolder } from "../../support/temp.ts";
import { needs } from "../../support/needs.ts";

const LOGIN: FtpLogin = { host: "nas", port: null, user: "observer", password: "a", tls: null, windows: false };
const OPTIONS = { mark: "M", progress: false, connectSeconds: 5, bytesPerSecond: null, fetchedPerSecond: null };

function lines(login: Partial<FtpLogin>, transfer: Transfer, options: Partial<typeof OPTIONS> = {}): string[] {
  return curlConfig({ ...LOGIN, ...login }, [transfer], { ...OPTIONS, ...options }).split("\n");
}

const fetch = (path: string): Transfer => ({ kind: "fetch", path, commands: [] });

for (
  const [path, url] of [
    ["/data/a.fits", "ftp://nas/%2Fdata/a%2Efits"],
    ["/", "ftp://nas/%2F"],
    ["/a b/100%/#1?.fits", "ftp://nas/%2Fa%20b/100%25/%231%3F%2Efits"],
    ["/../;type=a", "ftp://nas/%2F%2E%2E/%3Btype%3Da"],
    ["/[1-3]{a,b}", "ftp://nas/%2F%5B1-3%5D%7Ba%2Cb%7D"],
    ["/星", "ftp://nas/%2F%E6%98%9F"],
    ['/"\\', "ftp://nas/%2F%22%5C"],
  ] as const
) {
  Deno.test(`curlConfig() has the address ${url}`, () => {
    assertEquals(lines({}, fetch(path)).filter((line) => line.startsWith("url")), [`url = "${url}"`]);
  });
}

Deno.test("curlConfig() names port, IPv6 and implicit TLS in the address, and explicit TLS beside it", () => {
  const url = (login: Partial<FtpLogin>) => lines(login, fetch("/a")).find((line) => line.startsWith("url"));
  const tls = { ca: null, only12: true };
  assertEquals(url({ port: 2121, host: "::1" }), 'url = "ftp://[::1]:2121/%2Fa"');
  assertEquals(url({ tls: { ...tls, mode: "implicit" } }), 'url = "ftps://nas/%2Fa"');
  const explicit = lines({ tls: { ...tls, mode: "explicit", ca: "/ca.pem" } }, fetch("/a"));
  assert(explicit.includes("ssl-reqd") && explicit.includes('cacert = "/ca.pem"') && explicit.includes('tls-max = "1.2"'));
  assert(!explicit.some((line) => /insecure|^k$/.test(line)), "certificates are always checked");
});

Deno.test("curlConfig() begins each transfer with a command, and ends the run at the first that fails", () => {
  const text = curlConfig(LOGIN, [fetch("/a"), { kind: "commands", commands: ["SIZE /b", "MDTM /b"] }], OPTIONS);
  const [first = "", second = ""] = text.split("next\n");
  assert(first.includes('quote = "*NOOP"') && first.includes("fail-early"));
  assert(second.includes('quote = "*SIZE /b"\nquote = "*MDTM /b"') && second.includes("\nhead\n"));
});

Deno.test("curlConfig() quotes what would end a line or a text: nothing becomes an option", () => {
  const evil = 'x"\nurl = "ftp://evil/"\r\t\v\\';
  const all = lines({ user: "o", password: evil }, { kind: "send", from: `/src/${evil}`, to: "/t", skip: 3, commands: [evil] });
  assertEquals(all.filter((line) => line.startsWith("url = ")), ['url = "ftp://nas/%2Ft"']);
  assertEquals(all.filter((line) => line.startsWith("user = ")), ['user = "o:x\\"\\nurl = \\"ftp://evil/\\"\\r\\t\\v\\\\"']);
  assert(all.includes('continue-at = "3"'));
});

Deno.test(
  "a real curl reads the file as it is meant: a file with a hostile name, a password with quotes",
  needs("vsftpd"),
  async () => {
    await using folder = await tempFolder();
    const file = await folder.write('a "b" \\ \n[1-3]{x,y}', "content");
    const text = curlConfig({ ...LOGIN, host: "127.0.0.1", port: 1 }, [
      { kind: "send", from: file, to: "/t", skip: 0, commands: [] },
    ], OPTIONS);
    const child = new Deno.Command("curl", { args: ["-q", "--config", "-"], stdin: "piped", stdout: "piped", stderr: "piped" })
      .spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const [output = "", said = ""] = [stdout, stderr].map((each) => new TextDecoder().decode(each));
    // It has found the file, and then nobody who listens.
    assertEquals(code, 7, output + said);
    assert(/\nM 7 /.test(output), output);
    assert(!/warning|unknown/i.test(said), said);
  },
);
