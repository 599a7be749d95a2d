import { Command } from 'commander'
import { policyCheckCommand } from './policy-check.ts'
import { policyExplainCommand } from './policy-explain.ts'
import { policySimulateCommand } from './policy-simulate.ts'
import { policyTestCommand } from './policy-test.ts'

/** `postern policy check | test | explain | simulate`: what a policy set does, before it is in force. */
export function policyCommand(): Command {
  return new Command('policy')
    .description('check, test, explain and simulate policies before they are in force')
    .addCommand(policyCheckCommand())
    .addCommand(policyTestCommand())
    .addCommand(policyExplainCommand())
    .addCommand(policySimulateCommand())
}
