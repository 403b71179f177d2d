/** What visitors of the arena read. */

const plural = (n, one, many) => (n === 1 ? one : many);

export const WORDS = {
  page: 'Arena',
  title: 'Two hidden systems, one vote',
  task: 'What shall they do?',
  tasks: {
    tts: 'Speak a text', speech_continuation: 'Go on from a voice', music_continuation: 'Go on from music',
    clap_to_music: 'Make music of words',
  },
  write: {
    tts: {
      intro: (systems) => `Write a line or pick one. Two of ${systems} systems speak it, you hear both without knowing which is which, and say which is better. Then you see their names.`,
      text: 'What shall they say?', placeholder: 'Write what you want to hear.', begin: 'Let two systems speak',
      next: 'Next pair, another line', same: 'Same line, a new pair',
    },
    clap_to_music: {
      intro: (systems) => `Describe some music or pick a description. Two of ${systems} systems play it, you hear both without knowing which is which, and say which you enjoy more. Then you see their names.`,
      text: 'What music shall they make?', placeholder: 'Genre, mood, tempo and instruments, in English.', begin: 'Let two systems play',
      next: 'Next pair, another description', same: 'Same description, a new pair',
    },
  },
  goOn: {
    speech_continuation: {
      intro: (systems, seconds) => `Two of ${systems} systems hear ${seconds} seconds of somebody speaking and go on, each in its own way. You hear both without knowing which is which, and say which makes more sense. Then you see their names.`,
      after: 'Whose beginning?', any: 'Any voice', begin: 'Let two systems go on', preparing: 'Somebody begins to speak.',
      next: 'Next pair, another beginning', same: 'Same beginning, a new pair',
    },
    music_continuation: {
      intro: (systems, seconds) => `Two of ${systems} systems hear ${seconds} seconds of a piece and go on, each in its own way. You hear both without knowing which is which, and say which you enjoy more. Then you see their names.`,
      after: 'Which beginning?', any: 'Any piece', begin: 'Let two systems play on', preparing: 'A piece begins.',
      next: 'Next pair, another piece', same: 'Same piece, a new pair',
    },
  },
  own: (seconds) => `Your own recording, of which ${seconds} seconds are kept`, unreadable: 'This file holds no sound that can be read here.',
  needConsent: 'Tick the box that says you have the right to use this voice.',
  pick: 'Or pick a line', voice: 'Voice', anyVoice: 'Any voice', keysBegin: 'Ctrl + Enter',
  counter: (n, of) => `${n} / ${of} characters`, tooLong: (over) => `${over} ${plural(over, 'character', 'characters')} too many`,
  empty: 'Write a line first, or pick one.',
  preparing: 'Two systems are at work', preparingNote: 'Both are shown together when both are done, so that speed gives nothing away.',
  cancel: 'Back', again: 'Try again', failed: 'That did not work', another: 'Choose another text',
  noAnswer: 'The server does not answer. Please check your connection and try again.',
  waiting: (s) => `The connection is lost. Your vote is kept on this device and sent again in ${s} s.`, sendNow: 'Send now',
  closed: 'The arena is closed', closedNote: 'No pairs are made here at the moment. The listening tests may be open.',
  pair: (n) => `Pair ${n}`, listenMore: (names) => `Listen to ${names} first.`, ready: 'Now say which is better.',
  sounding: 'playing', vote: 'Your vote', sending: 'Sending your vote…',
  outcomes: { a: 'A is better', b: 'B is better', tie: 'A tie', both_bad: 'Both bad' },
  said: { a: 'You preferred A', b: 'You preferred B', tie: 'You called it a tie', both_bad: 'You found both bad' },
  revealed: 'These were the systems. You may listen to them once more.', chosen: 'Your choice',
  settings: { model: 'model', temperature: 'temperature', steps: 'steps', cfg: 'CFG', text_temperature: 'temperature of the words', top_k: 'top k' },
  leaderboard: 'See the leaderboard',
  tally: (own, all) => `${own ? `You have cast ${own} ${plural(own, 'vote', 'votes')}. ` : ''}${all.toLocaleString('en')} ${plural(all, 'vote', 'votes')} in the arena so far.`,
  keysTitle: 'Keys', keysOn: 'Keyboard shortcuts are on',
  keys: [
    ['Space', 'play or pause'], ['1 2', 'hear A, hear B'], ['← →', 'change between them'], ['A', 'A is better'], ['B', 'B is better'],
    ['T', 'a tie'], ['X', 'both are bad'], ['N', 'next pair, after the vote'],
  ],
};
