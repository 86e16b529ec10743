#!/usr/bin/env node
/** `holdfast …`: the command line. */
import { join } from 'node:path'
import { handOver, installWhatIsMissing, root } from './launch.js'

installWhatIsMissing()
process.exitCode = await handOver([join(root, 'src', 'main.ts'), ...process.argv.slice(2)])
