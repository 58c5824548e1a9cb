import { assert, assertEquals } from "@std/assert";
import { showConfig } from "../../src/config/show/show.ts";
import { isOverSsh, loginOf } from "../../src/config/settings.ts";
import { parsePartially, parseSettings } from "../../src/config/read/parse_settings.ts";
import { aComputer } from "./a_computer.ts";

/** The destination that this configuration has. */
function destinationOf(text: string, env: Readonly<Record<string, string>> = {}) {
  const computer = { ...aComputer(), env: (name: string) => env[name] };
  return parseSettings(`watch_path: /data\nremote_host: nas\nremote_base_path: images\n${text}`, "c.yaml", "yaml", computer)
    .jobs[0]!.destinations[0]!;
}

Deno.test("docs/destinations.md: the example with ftps is a configuration, and means what it says", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/destinations.md", import.meta.url));
  const example = page.split("```yaml\n").map((part) => part.split("```")[0]!).find((part) =>
    part.includes("transfer_method: ftps")
  )!;
  const { transport, basePath, fileMode, directoryMode } = parseSettings(example, "c.yaml", "yaml", aComputer()).jobs[0]!
    .destinations[0]!;
  assertEquals(transport, {
    method: "ftps",
    host: "nas",
    user: "observer",
    port: 2121,
    password: null,
    passwordFile: "/home/observer/.config/image-transfer/ftp-password",
    tlsMode: "explicit",
    tlsCa: "/home/observer/nas.pem",
  });
  assertEquals([basePath, fileMode, directoryMode], ["/remote/dir", 0o664, 0o775]);
});

Deno.test("a password that is only $NAME comes from the environment; another one with a $ in it is itself", () => {
  const password = (text: string) => {
    const { transport } = destinationOf(`transfer_method: ftp\npassword: ${text}\n`, { FTP_PASSWORD: "secret" });
    return transport.method === "ftp" ? transport.password : null;
  };
  assertEquals(["$FTP_PASSWORD", "${FTP_PASSWORD}", "a$b"].map(password), ["secret", "secret", "a$b"]);
});

Deno.test("ftp logs in, but not over ssh: no ssh key is asked for", () => {
  const destination = destinationOf("transfer_method: ftp\nremote_user: observer\n");
  assertEquals([isOverSsh(destination), loginOf(destination.transport)?.host], [false, "nas"]);
  assert(isOverSsh(destinationOf("transfer_method: sftp\n")));
});

Deno.test("config show hides the password of ftp", () => {
  const text = "watch_path: /data\nremote_host: nas\nremote_base_path: images\ntransfer_method: ftp\npassword: geheim-7\n";
  const { settings } = parsePartially(text, "c.yaml", "yaml", aComputer());
  const shown = showConfig(settings.full, "yaml");
  assert(!shown.includes("geheim") && shown.includes("password: (hidden)"), shown);
});
