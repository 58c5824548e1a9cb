/** A self-signed certificate, as an observatory without a certificate authority makes one. */
import type { TempFolder } from "./temp.ts";

/** Writes `cert.pem` and `key.pem`; needs openssl. `names` as in `DNS:localhost,IP:127.0.0.1`. */
export async function selfSigned(
  folder: TempFolder,
  names: string,
  key: readonly string[] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
): Promise<{ readonly cert: string; readonly key: string }> {
  const [cert, keyFile] = [folder.at("cert.pem"), folder.at("key.pem")];
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", ...key, "-nodes", "-days", "2"],
      ...["-subj", "/CN=camera.example", "-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-addext", `subjectAltName=${names}`, "-keyout", keyFile, "-out", cert],
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return { cert, key: keyFile };
}
