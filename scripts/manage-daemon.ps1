# Starts, stops and shows the image-transfer task in Windows Task Scheduler.
#   .\scripts\manage-daemon.ps1 start|stop|restart|status|logs [-Name ImageTransferDaemon]
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true, Position = 0)]
    [ValidateSet('start', 'stop', 'restart', 'status', 'logs')]
    [string] $Action,
    [string] $Name = 'ImageTransferDaemon',
    [string] $Log = ''
)
$ErrorActionPreference = 'Stop'

$task = Get-ScheduledTask -TaskName $Name -ErrorAction SilentlyContinue
if (-not $task) {
    Write-Error "There is no task '$Name'. Install it: image-transfer install-service" -ErrorAction Continue
    exit 4
}
# Recorded by install-service: program, configuration, log.
$mark = $task.Documentation -replace '^image-transfer-service: ', '' | ConvertFrom-Json
if (-not $Log) { $Log = $mark.log }

function Start-Daemon {
    Enable-ScheduledTask -TaskName $Name | Out-Null
    Start-ScheduledTask -TaskName $Name
    Start-Sleep -Seconds 2
    & $mark.program status --config $mark.config
}

function Stop-Daemon {
    # Disable it first: its trigger would start it again within five minutes.
    Disable-ScheduledTask -TaskName $Name | Out-Null
    # Ask the daemon first, so that transfers finish or can be resumed; then end the task.
    & $mark.program stop --config $mark.config
    if ($LASTEXITCODE -notin 0, 4) { Write-Warning 'The daemon is not responding; ending the task.' }
    Stop-ScheduledTask -TaskName $Name
}

switch ($Action) {
    'start' { Start-Daemon }
    'stop' { Stop-Daemon }
    'restart' { Stop-Daemon; Start-Daemon }
    'status' {
        $task | Get-ScheduledTaskInfo | Format-List TaskName, LastRunTime, LastTaskResult, NextRunTime
        & $mark.program status --config $mark.config
    }
    'logs' { Get-Content -LiteralPath $Log -Tail 50 -Wait -Encoding UTF8 }
}
exit $LASTEXITCODE
