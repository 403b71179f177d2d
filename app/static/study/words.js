/** What participants read, in English and French; what a study says itself comes from the server. */

const plural = (n, one, many) => (n === 1 ? one : many);
const seconds = (n) => Math.max(0.1, Math.ceil(n * 10) / 10);

const en = {
  locale: 'en', language: 'Language', name: 'English',
  page: 'Listening study', skip: 'Skip to the question', loading: 'Loading…',
  openStudies: 'Listening studies', noStudies: 'No study is open at the moment. Thank you for looking in.',
  minutes: (n) => `about ${n} ${plural(n, 'minute', 'minutes')}`,
  take: 'Take part', resume: 'Continue where you stopped', anew: 'Start as somebody else',
  begin: 'Begin', next: 'Continue', submit: 'Submit and go on', sending: 'Sending…',
  failed: 'The page cannot be loaded. Please check your connection and try again.', again: 'Try again',
  progress: (done, of) => `${done} of ${of} done`, training: 'Training', trial: (n, of) => `Question ${n} of ${of}`,
  trainingNote: 'This is for practice: your answers here do not count.',
  offline: (s) => `The connection is lost. Your answer is kept on this device and sent again in ${s} s.`,
  sendNow: 'Send now', recovered: 'Your answer has arrived.', resent: 'Your last answer was sent again and has arrived.',
  pauseTitle: 'Pause', pause: 'You may stop at any time and go on later, also on another day or device, with this link:',
  copy: 'Copy the link', copied: 'The link is copied.', keysTitle: 'Keys', keysOn: 'Keyboard shortcuts are on',
  consent: {
    tasks: (n, minutes) => `You will listen to short sounds and answer ${n} ${plural(n, 'question', 'questions')}, which takes about ${minutes} ${plural(minutes, 'minute', 'minutes')}.`,
    agree: 'I have read this and agree to take part.', missing: 'Please tick the box if you agree to take part.',
  },
  setup: {
    title: 'Set up your sound', intro: 'Use headphones in a quiet room if you can. Play the sound and set a comfortable volume; please do not change it afterwards.',
    play: 'Play the test sound', stop: 'Stop the test sound', device: 'What are you listening with?',
    devices: { headphones: 'Headphones', earphones: 'Earphones', loudspeakers: 'Loudspeakers' },
    room: 'Where are you?', rooms: { quiet: 'In a quiet room', some: 'Some noise around me', loud: 'In a loud place' },
    volume: 'The volume is comfortable', missing: 'Please play the sound, answer both questions and confirm the volume.',
    again: 'Some time has passed, so please check your sound again.',
  },
  headphones: {
    title: 'Headphone check', woods: 'Each time you hear three tones. Which one is the quietest?',
    huggins: 'Each time you hear three noises. One of them hides a faint tone. Which one?',
    play: (n) => `Play sound ${n}`, choice: ['First', 'Second', 'Third'], item: (n, of) => `Sound ${n} of ${of}`,
    retry: 'That did not work out yet. Please check that your headphones are plugged in and worn on both ears, then try again.',
    missing: 'Please play every sound and choose an answer for each.',
  },
  player: {
    play: 'Play', pause: 'Pause', playing: (label) => `Playing ${label}`, paused: 'Paused', position: 'Position', reference: 'Reference',
    clip: 'the sound', loopStart: 'Start of the loop', loopEnd: 'End of the loop', whole: 'Whole sound',
    seconds: (n) => `${n.toFixed(1)} seconds`, overview: 'Overview of the loudness, the same for all sounds of this question',
    looping: (a, b) => `Loop from ${a.toFixed(1)} to ${b.toFixed(1)} seconds`, loaded: 'The sounds are ready.',
    loadingSounds: (n, of) => `Loading sounds: ${n} of ${of}`, loadFailed: 'A sound could not be loaded.', unit: 's',
  },
  mos: { labels: ['Bad', 'Poor', 'Fair', 'Good', 'Excellent'] },
  pairwise: { a: 'A', tie: 'No difference', b: 'B' },
  mushra: {
    bands: ['Bad', 'Poor', 'Fair', 'Good', 'Excellent'], grade: (label) => `Grade of ${label}`, unset: 'not graded yet',
    note: 'One of the sounds is the reference itself. A slider can be moved while its sound is playing.',
  },
  missing: {
    intro: 'Still missing: ', listen: (label, n) => `listen to ${label} for ${seconds(n)} s more`,
    listenTo: (labels) => `listen longer to ${labels}`, grade: (labels) => `grade ${labels}`, answer: (question) => `answer “${question}”`, none: 'Everything is there.',
  },
  feedback: {
    title: 'How that went', reference: (label) => `${label} was the reference itself, so the top of the scale was right.`,
    anchor_low: (label) => `${label} was cut at 3.5 kHz, which most listeners place near the bottom.`,
    anchor_mid: (label) => `${label} was cut at 7 kHz, which most listeners place in the middle.`,
    right: 'Your answer agrees with what most listeners say.', other: (wanted) => `Most listeners answer: ${wanted}.`,
    noted: 'Your answer was noted. There is no right or wrong here; use the whole scale.',
  },
  questionnaire: { title: 'A few last questions', optional: '(optional)', missing: (question) => `Please answer “${question}”.` },
  done: {
    title: 'Thank you!', text: 'All your answers are stored.', code: 'Your completion code', back: 'Back to the panel',
    copy: 'Copy the code', copied: 'The code is copied.',
  },
  closed: { title: 'This study cannot go on here' },
  keys: {
    play: 'play or pause', hear: 'hear a sound', reference: 'hear the reference', neighbours: 'previous or next sound', score: 'give a score',
    seek: 'one second back or on', loop: 'loop from here, loop until here', whole: 'no loop', grade: 'move the slider', submit: 'submit',
    better: 'choose A or B', tie: 'no difference', space: 'Space', enter: 'Enter',
  },
};

const fr = {
  locale: 'fr', language: 'Langue', name: 'Français',
  page: 'Test d’écoute', skip: 'Aller à la question', loading: 'Chargement…',
  openStudies: 'Tests d’écoute', noStudies: 'Aucun test n’est ouvert en ce moment. Merci de votre visite.',
  minutes: (n) => `environ ${n} ${plural(n, 'minute', 'minutes')}`,
  take: 'Participer', resume: 'Reprendre où vous en étiez', anew: 'Commencer pour une autre personne',
  begin: 'Commencer', next: 'Continuer', submit: 'Envoyer et continuer', sending: 'Envoi…',
  failed: 'La page ne peut pas être chargée. Vérifiez votre connexion et réessayez.', again: 'Réessayer',
  progress: (done, of) => `${done} sur ${of}`, training: 'Entraînement', trial: (n, of) => `Question ${n} sur ${of}`,
  trainingNote: 'Ceci est un entraînement : vos réponses ne comptent pas.',
  offline: (s) => `La connexion est perdue. Votre réponse est gardée sur cet appareil et sera renvoyée dans ${s} s.`,
  sendNow: 'Envoyer maintenant', recovered: 'Votre réponse est arrivée.', resent: 'Votre dernière réponse a été renvoyée et est arrivée.',
  pauseTitle: 'Pause', pause: 'Vous pouvez arrêter à tout moment et reprendre plus tard, même un autre jour ou sur un autre appareil, avec ce lien :',
  copy: 'Copier le lien', copied: 'Le lien est copié.', keysTitle: 'Touches', keysOn: 'Les raccourcis clavier sont actifs',
  consent: {
    tasks: (n, minutes) => `Vous allez écouter de courts extraits sonores et répondre à ${n} ${plural(n, 'question', 'questions')}, ce qui prend environ ${minutes} ${plural(minutes, 'minute', 'minutes')}.`,
    agree: 'J’ai lu ce texte et j’accepte de participer.', missing: 'Cochez la case si vous acceptez de participer.',
  },
  setup: {
    title: 'Régler le son', intro: 'Utilisez si possible un casque, dans une pièce calme. Écoutez le son d’essai et réglez un volume agréable ; ne le changez plus ensuite.',
    play: 'Écouter le son d’essai', stop: 'Arrêter le son d’essai', device: 'Avec quoi écoutez-vous ?',
    devices: { headphones: 'Un casque', earphones: 'Des écouteurs', loudspeakers: 'Des haut-parleurs' },
    room: 'Où êtes-vous ?', rooms: { quiet: 'Dans une pièce calme', some: 'Avec un peu de bruit autour de moi', loud: 'Dans un lieu bruyant' },
    volume: 'Le volume est agréable', missing: 'Écoutez le son, répondez aux deux questions et confirmez le volume.',
    again: 'Du temps a passé ; vérifiez encore une fois votre son.',
  },
  headphones: {
    title: 'Vérification du casque', woods: 'Chaque fois, vous entendez trois sons. Lequel est le plus faible ?',
    huggins: 'Chaque fois, vous entendez trois bruits. L’un d’eux cache un son ténu. Lequel ?',
    play: (n) => `Écouter le son ${n}`, choice: ['Premier', 'Deuxième', 'Troisième'], item: (n, of) => `Son ${n} sur ${of}`,
    retry: 'Cela n’a pas encore réussi. Vérifiez que le casque est branché et porté sur les deux oreilles, puis réessayez.',
    missing: 'Écoutez chaque son et choisissez une réponse pour chacun.',
  },
  player: {
    play: 'Écouter', pause: 'Pause', playing: (label) => `Lecture : ${label}`, paused: 'En pause', position: 'Position', reference: 'Référence',
    clip: 'l’extrait', loopStart: 'Début de la boucle', loopEnd: 'Fin de la boucle', whole: 'Extrait entier',
    seconds: (n) => `${n.toFixed(1).replace('.', ',')} secondes`, overview: 'Aperçu du niveau sonore, le même pour tous les sons de cette question',
    looping: (a, b) => `Boucle de ${a.toFixed(1).replace('.', ',')} à ${b.toFixed(1).replace('.', ',')} secondes`, loaded: 'Les sons sont prêts.',
    loadingSounds: (n, of) => `Chargement des sons : ${n} sur ${of}`, loadFailed: 'Un son n’a pas pu être chargé.', unit: 's',
  },
  mos: { labels: ['Mauvais', 'Médiocre', 'Passable', 'Bon', 'Excellent'] },
  pairwise: { a: 'A', tie: 'Pas de différence', b: 'B' },
  mushra: {
    bands: ['Mauvais', 'Médiocre', 'Passable', 'Bon', 'Excellent'], grade: (label) => `Note de ${label}`, unset: 'pas encore noté',
    note: 'L’un des sons est la référence elle-même. Un curseur peut être déplacé pendant que son extrait est joué.',
  },
  missing: {
    intro: 'Il manque encore : ', listen: (label, n) => `écouter ${label} encore ${String(seconds(n)).replace('.', ',')} s`,
    listenTo: (labels) => `écouter plus longtemps ${labels}`, grade: (labels) => `noter ${labels}`, answer: (question) => `répondre à « ${question} »`, none: 'Tout y est.',
  },
  feedback: {
    title: 'Votre réponse', reference: (label) => `${label} était la référence elle-même ; le haut de l’échelle convenait donc.`,
    anchor_low: (label) => `${label} était coupé à 3,5 kHz ; la plupart des auditeurs le placent tout en bas.`,
    anchor_mid: (label) => `${label} était coupé à 7 kHz ; la plupart des auditeurs le placent au milieu.`,
    right: 'Votre réponse est celle de la plupart des auditeurs.', other: (wanted) => `La plupart des auditeurs répondent : ${wanted}.`,
    noted: 'Votre réponse est notée. Il n’y a ni juste ni faux ici ; utilisez toute l’échelle.',
  },
  questionnaire: { title: 'Quelques dernières questions', optional: '(facultatif)', missing: (question) => `Répondez à « ${question} ».` },
  done: {
    title: 'Merci !', text: 'Toutes vos réponses sont enregistrées.', code: 'Votre code de fin', back: 'Retour au panel',
    copy: 'Copier le code', copied: 'Le code est copié.',
  },
  closed: { title: 'Ce test ne peut pas continuer ici' },
  keys: {
    play: 'écouter ou mettre en pause', hear: 'écouter un son', reference: 'écouter la référence', neighbours: 'son précédent ou suivant', score: 'donner une note',
    seek: 'une seconde en arrière ou en avant', loop: 'boucle à partir d’ici, boucle jusqu’ici', whole: 'sans boucle', grade: 'déplacer le curseur', submit: 'envoyer',
    better: 'choisir A ou B', tie: 'pas de différence', space: 'Espace', enter: 'Entrée',
  },
};

export const WORDS = { en, fr };
