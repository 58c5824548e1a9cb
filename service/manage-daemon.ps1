# Starts, stops and shows the image-transfer task of Windows Task Scheduler.
#   .\manage-daemon.ps1 start|stop|status|logs [-Name ImageTransferDaemon]
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true, Position = 0)]
    [ValidateSet('start', 'stop', 'restart', 'status', 'logs')]
    [string] $Action,
    [string] $Name = 'ImageTransferDaemon',
    [string] $Log = (Join-Path $env:USERPROFILE 'logs\image_transfer.log')
)
$ErrorActionPreference = 'Stop'

$task = Get-ScheduledTask -TaskName $Name -ErrorAction SilentlyContinue
if (-not $task -and $Action -ne 'logs') {
    Write-Error "There is no task '$Name'. Install it first: image-transfer install-service"
    exit 1
}
$program = if ($task) { $task.Actions[0].Execute.Trim('"') } else { 'image-transfer' }

function Stop-Daemon {
    # Asks the daemon first, so that what is in flight is finished or parked; then ends the task.
    & $program stop
    if ($LASTEXITCODE -ne 0) { Write-Warning 'The daemon did not answer; ending the task.' }
    Stop-ScheduledTask -TaskName $Name
}

switch ($Action) {
    'start' { Start-ScheduledTask -TaskName $Name; Start-Sleep -Seconds 2; & $program status }
    'stop' { Stop-Daemon }
    'restart' { Stop-Daemon; Start-ScheduledTask -TaskName $Name; Start-Sleep -Seconds 2; & $program status }
    'status' {
        $task | Get-ScheduledTaskInfo | Format-List TaskName, LastRunTime, LastTaskResult, NextRunTime
        & $program status
    }
    'logs' { Get-Content -Path $Log -Tail 50 -Wait -Encoding UTF8 }
}
