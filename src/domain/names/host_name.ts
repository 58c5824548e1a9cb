/**
 * Which texts may stand for a remote host and a remote user. They become arguments of ssh, scp, sftp and
 * rsync, so what could be an option, a second word or a shell's special character is none.
 */

/** A DNS name, an alias of ssh_config, an IPv4 address, or an IPv6 address, bare or in brackets, with or without a zone. */
export function isHostName(text: string): boolean {
  if (text.length > 255) return false;
  return NAME.test(text) || isIpv6(text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text);
}

/** The bare IPv6 address of `[…]`; any other host as it is. */
export function bareHost(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

export function isIpv6(text: string): boolean {
  const match = /^([0-9A-Fa-f:.]+)(%[A-Za-z0-9][A-Za-z0-9._-]{0,31})?$/.exec(text);
  if (!match) return false;
  // The URL parser knows the whole grammar: one `::`, at most eight groups, an IPv4 tail.
  return match[1]!.includes(":") && URL.canParse(`http://[${match[1]}]/`);
}

/** A login name: POSIX names, `user@domain`, and Windows' `DOMAIN\user`. */
export function isUserName(text: string): boolean {
  return text.length <= 255 && USER.test(text);
}

const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?$/;
const USER = /^[A-Za-z0-9_](?:[A-Za-z0-9._@+\\-]*[A-Za-z0-9._$-])?$/;

/** `ssh://observer@freya:22/data`, `observer@freya:/data`, `freya:22`, `freya/data`: what people write into one key. */
const WHOLE_ADDRESS = /^(?:[a-z]+:\/\/)?(?:([^@\s:/]+)@)?([^@\s:/]+)(?::(\d+)(?![^/]))?(?:(?::|(?=\/))(.+))?$/s;

/** The configuration keys that an address such as `user@host:/folder` stands for; empty if it is not an address. */
export function addressParts(written: string): Readonly<Record<string, string | undefined>> {
  const [, remote_user, remote_host, remote_port, remote_base_path] = WHOLE_ADDRESS.exec(written) ?? [];
  return { remote_user, remote_host, remote_port, remote_base_path };
}

/** `remote_user: observer, remote_host: freya and remote_base_path: /data`. */
export function addressWords(written: string): string {
  const keys = Object.entries(addressParts(written)).flatMap(([key, part]) => part === undefined ? [] : [`${key}: ${part}`]);
  return keys.join(", ").replace(/, ([^,]*)$/, " and $1");
}

/** `freya:/data` and `observer@freya:~/data`; one letter is a drive of Windows. */
export function isAddress(written: string): boolean {
  return /^(?:[\w.-]+@)?[\w.-]{2,}:[/~]/.test(written);
}
