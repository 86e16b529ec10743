/** `npm start`: the service on the embedded database, with the demo world when nothing is configured. */
import { join } from 'node:path'
import { handOver, installWhatIsMissing, root } from './launch.js'

installWhatIsMissing()
process.exitCode = await handOver([join(root, 'src', 'main.ts'), 'start', ...process.argv.slice(2)])
