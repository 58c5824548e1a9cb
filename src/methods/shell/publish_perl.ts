/**
 * The program that gives staged files their final names at the far end, in perl (5.8 or newer, core modules only): one
 * process for a whole batch. Input: seven fields a file, as arguments or each ended by NUL (staged, target, policy, stem and ending of
 * former names, file mode, folder mode; modes octal or empty). Output: one line a file, in order, once all is durable:
 * `ok`, `former <number>`, `exists`, `folder`, `link <depth>` (see shell_staging.ts), `denied <depth>` (by a folder so deep, where the base
 * path allows it), or `fail <reason>`. shell_names.ts does the same without perl.
 */
import { FLUSH_SUB, SYNCED_WHOLE } from "./shell_flush.ts";

/** File systems of Linux, as in {@linkcode SYNCED_WHOLE}, of which sync_file_range(2) is known to report what was lost of a file. */
const ASKED_BY_RANGE = ["ef53", "58465342"];

/**
 * Arguments: `sync -f` or nothing, and from how many files on it writes all of them out at once, where the file system is one for
 * it; `1` where the links of other accounts are followed, or nothing; then the fields, unless they are the input.
 *
 * That `sync -f` succeeds proves nothing of a file: BusyBox passes over the answer of syncfs(2), Linux before 5.8 reports no lost data by
 * it, and later ones report it once, perhaps to another program. So each file is asked, by fsync; or, as that has the drive empty its
 * cache each time, by sync_file_range(2) where it is known to report what was lost of this file as fsync does: waiting (flag 1) for
 * what was written out. Not with overlayfs, where the pages belong to another file than the one that is open.
 */
export const PUBLISH_PERL = String.raw`
use strict; use Errno qw(EEXIST ENOENT EINVAL ENOTSUP ENOTTY); use XSLoader;
# Of IO::Handle only fsync is needed, and of Fcntl seldom anything: loading both takes longer than all else here.
eval { XSLoader::load('IO') }; defined &IO::Handle::sync or require IO::Handle;
my ($syncf, $many, $follow, @field) = @ARGV;
binmode STDIN; binmode STDOUT;
$/ = "\0";
if (!@field) { @field = <STDIN>; chomp @field }
my (@item, %seen, %dirty, @answer);
push @item, [splice @field, 0, 7] while @field;
# Whose links count: root's, ours, and those of the owner of the base path. Staged files show who we are there.
my %trusted = map { $_ => 1 } 0, $>, (stat '.')[4], @item && lstat $item[0][0] ? (lstat _)[4] : ();
my $type = $syncf && @item >= $many ? qx(stat -f -c %t . 2>/dev/null) : '';
my $whole = $type =~ /^(?:${SYNCED_WHOLE.join("|")})$/;
${FLUSH_SUB}
# The number of sync_file_range here, where it is known to be what it should be: seen to work where nothing can have been lost yet.
sub asking {
  return 0 unless $^O eq 'linux' && $type =~ /^(?:${ASKED_BY_RANGE.join("|")})$/;
  require Config;
  return 0 unless $Config::Config{ptrsize} == 8 && $Config::Config{archname} =~ /^(x86_64|aarch64)-linux/;
  my $number = $1 eq 'x86_64' ? 277 : 84;
  open(my $f, '<', '.') or return 0;
  return syscall($number, fileno($f), 0, 0, 1) == 0 ? $number : 0;
}
my $asking;
sub ask {
  my ($path) = @_;
  $asking = eval { asking() } || 0 unless defined $asking;
  return flush($path) unless $asking;
  open(my $f, '<', $path) or return $!;
  return syscall($asking, fileno($f), 0, 0, 1) == 0 ? '' : $!;
}
sub parent { my ($p) = @_; return $p =~ m{^(.*)/[^/]*\z}s ? $1 : '.' }
# How deep the folder lies in which a name is given.
my $deep;
sub folders {
  my ($dir, $mode) = @_;
  return '' if $seen{$dir};
  my ($path, $above, $depth) = ('', '.', 0);
  for my $part (split m{/}, $dir) {
    $path = length $path ? "$path/$part" : $part;
    next if $part eq '.';
    $depth++;
    if (!$follow) { my @link = lstat $path; return "link $depth" if @link && -l _ && !$trusted{$link[4]} }
    if (!$seen{$path}) {
      if (mkdir $path) { chmod oct $mode, $path if length $mode }
      elsif ($! == EEXIST) { return "Not a directory" unless -d $path }
      else { my $e = "$!"; if (!-d $path) { $deep = $depth - 1; return $e } }
      # Also where it was there already: a crash may have come between its making and its flushing.
      $dirty{$above} = 1;
      $seen{$path} = 1;
    }
    $above = $path;
  }
  $seen{$dir} = 1;
  return '';
}
sub same {
  my ($a, $b) = @_;
  my @a = lstat $a or return 0; my @b = lstat $b or return 0;
  return 0 unless -f _ && $a[7] == $b[7];
  return 1 if $a[0] == $b[0] && $a[1] == $b[1];
  open(my $x, '<', $a) or return 0; open(my $y, '<', $b) or return 0;
  binmode $x; binmode $y;
  while (1) {
    my $n = sysread($x, my $p, 1 << 20); my $m = sysread($y, my $q, 1 << 20);
    return 0 unless defined $n && defined $m && $p eq $q;
    return 1 if $n == 0;
  }
}
sub keep {
  my ($target, $stem, $ending) = @_;
  my @mine = lstat $target or return 0;
  my $link = -l _;
  for (my $n = 1; $n < 100000; $n++) {
    my $name = "$stem.v$n$ending";
    if (!$link) {
      return $n if link $target, $name;
      my $e = $!;
      if ($e == EEXIST) {
        my @there = lstat $name;
        return $n if @there && $there[0] == $mine[0] && $there[1] == $mine[1];
        next;
      }
      return 0 if $e == ENOENT;
    }
    # No hard links here: take the name first, so that nobody else does.
    require Fcntl;
    if (sysopen(my $f, $name, Fcntl::O_CREAT() | Fcntl::O_EXCL() | Fcntl::O_WRONLY())) {
      close $f;
      rename $target, $name and return $n;
      my $e = "$!"; unlink $name; die "$e\n";
    }
    die "$!\n" unless $! == EEXIST;
  }
  die "too many former versions\n";
}
# Why a folder could not be flushed: no other flush of it tells.
my $lost = '';
sub place {
  my ($staged, $target, $policy, $stem, $ending, $fmode, $dmode) = @_;
  $deep = $target =~ tr{/}{};
  my $e = folders(parent($target), $dmode);
  return $e =~ /^link \d+$/ ? $e : "fail $e" if $e;
  my $former = 0;
  if ($policy ne 'overwrite') {
    if (link $staged, $target) { unlink $staged; return 'ok' }
    return "fail staged file: $!" unless lstat $staged;
  }
  if (lstat $target) {
    return 'folder' if -d _;
    if ($policy ne 'overwrite' && !same($staged, $target)) {
      return 'exists' if $policy ne 'version';
      $former = eval { keep($target, $stem, $ending) };
      if (!defined $former) { chomp(my $why = $@); return "fail $why" }
      # A disk may keep the later of two names and lose the earlier one in a power cut.
      my $e = $former ? flush(parent($target)) : '';
      if ($e) { $lost = $e; return "fail flushing the folder: $e" }
    }
  }
  # Rename last: readers see the old or the new file, whole.
  rename $staged, $target or return "fail $!";
  # Two names of one file: POSIX renames nothing then (a crash came between link and unlink).
  unlink $staged;
  return $former ? "former $former" : 'ok';
}

for my $i (0 .. $#item) {
  my ($staged, $fmode) = @{$item[$i]}[0, 5];
  if (length $fmode && !chmod oct $fmode, $staged) { $answer[$i] = "fail staged file: $!" }
}
my $written = $whole && system('sync', '-f', '.') == 0;
for my $i (0 .. $#item) {
  next if $answer[$i];
  my $e = $written ? ask($item[$i][0]) : flush($item[$i][0]);
  next unless $e;
  # Linux tells of an error of the disk only once (fsync(2)): what was resumed would be flushed without one.
  unlink $item[$i][0];
  $answer[$i] = "fail staged file: $e";
}
# Two that give one name at once would both keep the same former file, and the file of one of them would be lost: one after the other,
# whoever they are. Where a folder cannot be locked, only another computer's publication could come in between.
my $lock;
# LOCK_EX is 2 (perlfunc).
flock $lock, 2 if open $lock, '<', '.';
for my $i (0 .. $#item) {
  next if $answer[$i];
  $answer[$i] = place(@{$item[$i]});
  $answer[$i] = "denied $deep"
    if $deep && $answer[$i] =~ /^fail (?:permission denied|operation not permitted)/i && eval q{use filetest 'access'; -w '.'};
  $dirty{parent($item[$i][1])} = 1 unless $answer[$i] =~ /^fail|^exists|^folder|^link|^denied/;
}
close $lock if $lock;
if (%dirty) {
  system('sync', '-f', '.') if $whole;
  my $e = $lost;
  for my $dir (keys %dirty) { $e = flush($dir) || $e }
  if ($e) { /^ok|^former/ and $_ = "fail flushing the folder: $e" for @answer }
}
tr/\r\n/  / for @answer;
print map { "$_\n" } @answer;
`;
