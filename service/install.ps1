# Installs image-transfer from a release: verifies the checksum and puts the program on the user's PATH. Needs no administrator.
#   .\install.ps1 -From FOLDER-OR-ADDRESS [-Version 0.1.0]
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true, Position = 0)] [string] $From,
    [string] $Version = '',
    [string] $Prefix = (Join-Path $env:LOCALAPPDATA 'Programs\image-transfer')
)
$ErrorActionPreference = 'Stop'
$target = 'x86_64-pc-windows-msvc'
$work = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid())
New-Item -ItemType Directory -Path $work | Out-Null

function Get-Part([string] $Name) {
    if ($From -match '^[A-Za-z]+://') { Get-Address "$($From.TrimEnd('/'))/$Name" (Join-Path $work $Name) }
    else { Copy-Item -LiteralPath (Join-Path $From $Name) -Destination (Join-Path $work $Name) }
}

# By https only. Redirections are followed here, because Windows PowerShell would follow one to plain http.
function Get-Address([Uri] $Address, [string] $Into) {
    [Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
    for ($redirections = 0; $redirections -lt 6; $redirections++) {
        if ($Address.Scheme -ne 'https') { throw "$Address is not an https address: the archive could be replaced on its way. Nothing was installed." }
        $request = [Net.WebRequest]::CreateHttp($Address)
        $request.AllowAutoRedirect = $false
        $response = $request.GetResponse()
        try {
            if ([int] $response.StatusCode -lt 300) {
                $file = [IO.File]::Create($Into)
                try { $response.GetResponseStream().CopyTo($file) } finally { $file.Dispose() }
                return
            }
            $Address = [Uri]::new($Address, $response.Headers['Location'])
        }
        finally { $response.Dispose() }
    }
    throw "Cannot get $($Address): it is redirected too often."
}

try {
    Get-Part 'SHA256SUMS'
    $wanted = if ($Version) { [regex]::Escape($Version) } else { '[0-9][0-9A-Za-z.+-]*' }
    $line = Get-Content -LiteralPath (Join-Path $work 'SHA256SUMS') |
        Where-Object { $_ -match "^[0-9a-f]{64}  image-transfer-$wanted-$target\.zip$" } | Select-Object -First 1
    if (-not $line) { throw "SHA256SUMS lists no archive for $target" }
    $sum, $archive = $line -split '  ', 2
    Get-Part $archive
    $file = Join-Path $work $archive
    if ((Get-FileHash -Algorithm SHA256 -LiteralPath $file).Hash -ne $sum) {
        throw "$archive is damaged or not genuine: its checksum does not match SHA256SUMS. Nothing was installed."
    }
    Expand-Archive -LiteralPath $file -DestinationPath $work
    $folder = Join-Path $work ($archive -replace '\.zip$', '')
    New-Item -ItemType Directory -Path $Prefix -Force | Out-Null
    $program = Join-Path $Prefix 'image-transfer.exe'
    # A running program cannot be replaced, but it can be renamed.
    Get-ChildItem -LiteralPath $Prefix -Filter '*.old' | Remove-Item -ErrorAction SilentlyContinue
    if (Test-Path -LiteralPath $program) { Rename-Item -LiteralPath $program -NewName "image-transfer.exe.$([Guid]::NewGuid()).old" }
    Copy-Item -Path (Join-Path $folder '*') -Destination $Prefix -Recurse -Force
    $path = [Environment]::GetEnvironmentVariable('PATH', 'User')
    if (";$path;" -notlike "*;$Prefix;*") {
        [Environment]::SetEnvironmentVariable('PATH', "$path;$Prefix".TrimStart(';'), 'User')
        Write-Host 'Open a new window to use the new PATH.'
    }
    Write-Host "Installed $(& $program --version) in $Prefix"
    Write-Host 'Next: image-transfer init'
}
finally { Remove-Item -LiteralPath $work -Recurse -Force }
