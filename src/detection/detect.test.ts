import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createDetector, detect, detectionKinds, redactDetected } from './detect.ts'
import type { DetectionKind } from './detect.ts'

/** Values of each kind, alone as a column holds them. */
const positives: Readonly<Record<DetectionKind, readonly string[]>> = {
  email: [
    'ada@example.com',
    'ada.lovelace+news@mail.example.co.uk',
    'a_b-c@sub-domain.example.museum',
    'jürgen@müller.example.de',
    "o'neil@example.ie",
    'x@xn--mller-kva.de',
    'ADA@EXAMPLE.COM',
  ],
  phone: [
    '+49 30 1234567',
    '+4915112345678',
    '+1 415 555 2671',
    '+1 (415) 555-2671',
    '+33 1 23 45 67 89',
    '+44 20 7946 0958',
    '0049 30 1234567',
    '(415) 555-2671',
    '415-555-2671',
    '415.555.2671',
    '1-415-555-2671',
    '01 23 45 67 89',
    '020 7946 0958',
    '07700 900123',
    '030 12345678',
    '0151/12345678',
    '07700900123',
  ],
  card: [
    '4111111111111111',
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '5555555555554444',
    '2223003122003222',
    '378282246310005',
    '3782 822463 10005',
    '6011111111111117',
    '3530111333300000',
    '30569309025904',
    '6200000000000005',
    '4222222222222',
  ],
  iban: [
    'DE89370400440532013000',
    'DE89 3704 0044 0532 0130 00',
    'GB29 NWBK 6016 1331 9268 19',
    'fr1420041010050500013m02606',
    'NL91ABNA0417164300',
    'NO9386011117947',
    'MT84MALT011000012345MTLCAST001S',
    'CH9300762011623852957',
    'BR1800360305000010009795493C1',
  ],
  national_id: [
    '219-09-9999',
    '219 09 9999',
    'AB 12 34 56 C',
    'QQ123456C'.replace('QQ', 'JK'),
    '86095742719',
    '86 095 742 719',
    '255081416802538',
    '2 55 08 14 168 025 38',
    '12345678Z',
    'X1234567L',
    'RSSMRA85T10A562S',
    '111222333',
    '44051401359',
    '529.982.247-25',
    '52998224725',
    '2341 2341 2346',
    '811218-9876',
    '19811218-9876',
  ],
  ip: [
    '192.168.0.1',
    '8.8.8.8',
    '2001:db8::1',
    'fe80::1ff:fe23:4567:890a',
    '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
    '::ffff:203.0.113.7',
  ],
  mac: ['00:1B:44:11:3A:B7', '00-1b-44-11-3a-b7'],
  secret: [
    'AKIAIOSFODNN7EXAMPLE',
    `ghp_${'a1B2'.repeat(9)}`,
    `github_pat_${'a1B2'.repeat(10)}`,
    ['sk_live', '4eC39HqLyjWDarjtT1zdp7dc'].join('_'),
    ['xoxb', '123456789012', 'abcdefABCDEF'].join('-'),
    ['AIza', 'SyA1234567890abcdefghijklmnopqrstuv'].join(''),
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U',
    '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----',
    '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r',
    '$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW',
    '$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG',
    '$6$rounds=5000$saltsalt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.',
    'pbkdf2_sha256$260000$salt$C0SZmvmiZ0Kz1QZ5VXo8mXUQsB7rZWcXYBvQp2yG8LI=',
    'md55f4dcc3b5aa765d61d8327deb882cf99',
    'postgres://app:hunter2@db.internal:5432/shop',
    'password=hunter2',
    'Authorization: Bearer a8f5f167f44f4964e6c998dee827110c',
    'api_key: "Zx81kd93Jsl20dkQ"',
  ],
}

/** What looks a little like it and is not: no kind may be at least likely. */
const negatives: readonly string[] = [
  '2024-01-15',
  '15.01.2024',
  '01/15/2024',
  '15-01-2024 10:30',
  '2024-01-15 10:30:00',
  '2024-01-15T10:30:00.123456+02:00',
  '20240115103000',
  '1705314600',
  '1705314600123',
  '1705314600123456',
  '3.14159265358979',
  '-0.123456789',
  '+12.3456789',
  '1,234,567.89',
  '12345678.90',
  'ORD-2024-000123',
  'INV-20240115-0042',
  'PO 4500012345',
  'SKU-4006381333931',
  '4006381333931',
  '100-2000-300',
  '0012345678',
  'A-123456-B',
  '550e8400-e29b-41d4-a716-446655440000',
  '00000000-0000-0000-0000-000000000000',
  '12345678-1234-1234-1234-123456789012',
  'd41d8cd98f00b204e9800998ecf8427e',
  'da39a3ee5e6b4b0d3255bfef95601890afd80709',
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '\\x89504e470d0a1a0a',
  'aGVsbG8gd29ybGQ=',
  '10:30:00',
  '00:00',
  'v1.2.3.4',
  '1.2.3',
  '10.0.19041.1237',
  '127.0.0.1',
  '0.0.0.0',
  'std::string',
  'a::b',
  'ab::cd',
  "'now'::date",
  '(1.5,2.5)',
  '[2024-01-01,2024-02-01)',
  '4111111111111112',
  '411111111111111',
  '1234567890123456',
  '0000000000000000',
  '41111111111111111111',
  'DE88370400440532013000',
  'DE8937040044053201300',
  'ZZ89370400440532013000',
  '000-12-3456',
  '666-12-3456',
  '900-12-3456',
  '123-00-4567',
  'logo@2x.png',
  'lodash@4.17.21',
  '@types/node',
  'user@localhost',
  'git@github.com:org/repo.git',
  'a@b',
  '@',
  'foo @ example.com',
  'SELECT count(*) FROM orders WHERE total > 100',
  'The quick brown fox jumps over the lazy dog 12 times',
  'Hauptstraße 12, 10115 Berlin',
  '5 items at 19.99 each, total 99.95',
  'version 18.4 (Debian 18.4-1.pgdg13+1)',
  'tokens are refused',
  'password is required',
  'The secret is out there somewhere',
  'the password: null',
  'session_4f9a',
  'true',
  '',
  '12345',
  '9781402894626',
  '51.5073509,-0.1277583',
  '192.168.0.0.1',
  '256.1.1.1',
  '1Z999AA10123456784',
  'RF18539007547034',
  '7711410864779955437',
  '1789569706118287360',
]

const sureOnes = createDetector({ least: 'likely' })

describe('is detected alone, in a sentence and in JSON', () => {
  for (const kind of detectionKinds) {
    for (const value of positives[kind]) {
      test(`${kind}: ${value.split('\n')[0] ?? ''}`, () => {
        const found = detect(value)
        assert.ok(
          found.some((detection) => detection.kind === kind),
          JSON.stringify(found),
        )
        for (const text of [`before ${value}`, `before ${value}, after`, `(${value})`, JSON.stringify({ a: value })]) {
          assert.ok(
            detect(text).some((detection) => detection.kind === kind),
            text,
          )
        }
      })
    }
  }
})

describe('is not taken for anything', () => {
  for (const value of negatives) {
    test(`"${value}"`, () => {
      assert.deepEqual(sureOnes.detect(value), [])
    })
  }

  test('numbers that are drawn at random, but for few', () => {
    // A fixed sequence, so that the test says the same every day.
    let state = 12_345
    const next = () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648
    const hits = new Map<number, number>()
    for (const length of [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]) {
      for (let count = 0; count < 500; count += 1) {
        const digits = Array.from({ length }, () => Math.floor(next() * 10)).join('')
        if (sureOnes.detect(digits).length > 0) hits.set(length, (hits.get(length) ?? 0) + 1)
      }
    }
    for (const [length, count] of hits) assert.ok(count <= 25, `${String(length)} digits: ${String(count)} of 500`)
  })
})

describe('what is detected', () => {
  test('is exactly the value, not what is around it', () => {
    const text = 'Mail <ada@example.com>, card 4111 1111 1111 1111 12/27; DE89 3704 0044 0532 0130 00 is mine.'
    assert.deepEqual(
      detect(text).map(({ kind, start, end }) => [kind, text.slice(start, end)]),
      [
        ['email', 'ada@example.com'],
        ['card', '4111 1111 1111 1111'],
        ['iban', 'DE89 3704 0044 0532 0130 00'],
      ],
    )
  })

  test('is replaced, and the rest stays', () => {
    assert.equal(
      redactDetected('ada@example.com paid with 4111111111111111 from 192.168.0.1', (_, { kind }) => `<${kind}>`),
      '<email> paid with <card> from <ip>',
    )
    assert.equal(
      redactDetected('order 123456789 of 2024-01-15', () => 'X'),
      'order 123456789 of 2024-01-15',
    )
  })

  test('leaves nothing of what overlaps', () => {
    assert.equal(
      redactDetected('030 12345678@example.com', () => '*'),
      '*',
    )
    assert.equal(redactDetected('x://ada:s3cret@mail.example.com/', () => '*').includes('s3cret'), false)
  })

  test('is found wherever a long text has it', () => {
    for (const offset of [0, 65_500, 65_520, 65_530, 65_536, 86_010, 200_000]) {
      const text = `${'.'.repeat(offset)} ada@example.com ${'.'.repeat(100_000)}`
      assert.equal(redactDetected(text, () => '*').includes('ada'), false, String(offset))
    }
  })

  test('can be limited to some kinds', () => {
    const found = createDetector({ kinds: ['email'] }).detect('ada@example.com 4111111111111111')
    assert.deepEqual(
      found.map(({ kind }) => kind),
      ['email'],
    )
  })
})

describe('a hostile text', () => {
  const length = 200_000
  const pieces = [
    'a',
    '@',
    'a@',
    'a.',
    '@a.',
    'a@a.a@',
    '1',
    '1 ',
    '4 ',
    '+1',
    '+1 ',
    '(',
    '(2',
    '0',
    '00',
    '01 ',
    '41-',
    '1.',
    '255.',
    ':',
    'a:',
    '::',
    'f:',
    '00:',
    '00-',
    'eyJ',
    'eyJ-',
    'eyJaaaaaaaa.',
    '-',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY-----',
    '$',
    '$2',
    '$6$a',
    'token',
    'token ',
    'token=',
    'password:',
    '://',
    '://a:',
    '://a:b',
    'DE',
    'DE89',
    'DE89 ',
    'AKIA',
    'ghp_',
    'xoxb-',
    'A',
    'AB',
    'RSSMRA',
    '\u0000',
    '\ud83d',
    'é',
    'SCRAM-SHA-256$1:',
    'basic  ',
    '2341 ',
    '+1(',
    '219-09-',
  ]
  for (const piece of pieces) {
    // A search that took quadratic time would take minutes.
    test(`of ${JSON.stringify(piece)} repeated does not hold anybody up`, { timeout: 20_000 }, () => {
      redactDetected(piece.repeat(length / piece.length), () => '*')
    })
  }
})

test('what is passed over as plain holds nothing that would be replaced', () => {
  const detector = createDetector({ least: 'likely' })
  const seed = Date.now() % 1_000_000
  const values = [
    ...Array.from({ length: 4_000 }, (_, index) => String((index * 7919 + seed) % 100_000_000)),
    ...Array.from({ length: 4_000 }, (_, index) => ((index * 104_729 + seed) / 7).toFixed(index % 7)),
    ...Array.from({ length: 2_000 }, (_, index) =>
      Buffer.from(String(index * seed))
        .toString('base64')
        .replaceAll(/[^A-Za-z]/gu, 'q')
        .slice(0, 15),
    ),
    '2024-02-29',
    '2024-02-29 12:34:56.789+00',
    'true',
    'NULL',
  ]
  for (const value of values) {
    assert.equal(
      detector.redact(value, () => '!'),
      value,
      `seed ${String(seed)}`,
    )
    assert.equal(
      redactDetected(value, () => '!'),
      value,
    )
  }
})
