import { Command } from 'commander'
import { policyCheckCommand } from './policy-check.ts'
import { policyExplainCommand } from './policy-explain.ts'
import { policyTestCommand } from './policy-test.ts'

/** `postern policy check | test | explain`: what a policy set does, before it is in force. */
export function policyCommand(): Command {
  return new Command('policy')
    .description('check, test and explain policies before they are in force')
    .addCommand(policyCheckCommand())
    .addCommand(policyTestCommand())
    .addCommand(policyExplainCommand())
}
