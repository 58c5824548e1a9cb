/**
 * Which texts may stand for a remote host and a remote user. They become arguments of ssh, scp, sftp and
 * rsync, so what could be an option, a second word or a shell's special character is none.
 *
 * @module
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

/** True for an IPv6 address without brackets. */
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
