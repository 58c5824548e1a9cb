import { assertEquals, assertThrows } from "@std/assert";
import { destinationKeys } from "../../../src/commands/text/word_keys.ts";
import { Failure } from "../../../src/domain/failure.ts";

const local = (path: string) => ({ transfer_method: "local", remote_base_path: path });

const WORDS: [word: string, keys: Record<string, string | number>][] = [
  ["/mnt/nas", local("/mnt/nas")],
  ["out", local("out")],
  ["./a:b", local("./a:b")],
  ["./observer@freya", local("./observer@freya")],
  ["/data/a@b", local("/data/a@b")],
  ["C:/images", local("C:/images")],
  ["observer@freya:/data/images", { remote_host: "freya", remote_user: "observer", remote_base_path: "/data/images" }],
  ["observer@freya:images", { remote_host: "freya", remote_user: "observer", remote_base_path: "images" }],
  ["freya:/data", { remote_host: "freya", remote_base_path: "/data" }],
  ["freya:~/data", { remote_host: "freya", remote_base_path: "~/data" }],
  ["s3remote:bucket/images", { transfer_method: "rclone", remote_base_path: "s3remote:bucket/images" }],
  ["sftp://observer@freya:2222/data", {
    transfer_method: "sftp",
    remote_host: "freya",
    remote_user: "observer",
    remote_port: 2222,
    remote_base_path: "/data",
  }],
  ["ssh://freya/~/a%20b", { transfer_method: "auto", remote_host: "freya", remote_base_path: "~/a b" }],
  ["ftps://freya", { transfer_method: "ftps", remote_host: "freya", remote_base_path: "/" }],
  ["FTP://freya//data", { transfer_method: "ftp", remote_host: "freya", remote_base_path: "/data" }],
];

for (const [word, keys] of WORDS) {
  Deno.test(`destinationKeys(): ${word}`, () => assertEquals(destinationKeys(word, false), keys));
}

Deno.test("destinationKeys() takes paths of Windows for folders on Windows only", () => {
  for (const path of ["C:\\images", "\\\\nas\\images", "//nas/images"]) {
    assertEquals(destinationKeys(path, true), local(path));
    const { message } = assertThrows(() => destinationKeys(path, false), Failure);
    assertEquals(message, `Cannot send to "${path}": it is a path of Windows`);
  }
});

const FAULTS: [word: string, message: string][] = [
  ["observer@freya:", 'Cannot send to "observer@freya:": it names no folder'],
  ["observer@freya", 'Cannot send to "observer@freya": it has no colon behind the host'],
  ["observer@freya/a:b", 'Cannot send to "observer@freya/a:b": it has no colon behind the host'],
  ["observer@freya/data", 'Cannot send to "observer@freya/data": it has no colon behind the host'],
  ["192.168.1.5/data", 'Cannot send to "192.168.1.5/data": it has no colon behind the host'],
  ["~bob/images", 'Cannot send to "~bob/images": it means the home folder of another account'],
  ["gopher://freya/data", 'Cannot send to "gopher://freya/data": "gopher://" is not known'],
  ["sftp://", 'Cannot send to "sftp://": it is not a valid address'],
  [
    "sftp://a:geheim@freya/x",
    'Cannot send to "sftp://a:…@freya/x": it contains a password, which others can see in the list of processes',
  ],
];

for (const [word, message] of FAULTS) {
  Deno.test(`destinationKeys() refuses ${word.replace("geheim", "…")}`, () => {
    assertEquals(assertThrows(() => destinationKeys(word, false), Failure).message, message);
  });
}

Deno.test("destinationKeys() says how to write what lacks a colon", () => {
  const hintFor = (word: string) => assertThrows(() => destinationKeys(word, false), Failure).hint;
  assertEquals(
    hintFor("observer@freya"),
    "Write it as observer@freya:/data/images; for a folder of this computer ./observer@freya",
  );
  assertEquals(
    hintFor("observer@freya/data"),
    "Write it as observer@freya:/data; for a folder of this computer ./observer@freya/data",
  );
});
