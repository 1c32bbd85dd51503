"""The words captions are made of: synonyms of moods, styles and instruments, phrases for the rest.

`HELD_OUT_SYNONYMS` are never used in captions: they test whether a paraphrase lands where the
style does.
"""

#: Mood -> adjectives.
MOOD_WORDS: dict[str, list[str]] = {
    "calm": ["calm", "relaxed", "peaceful", "gentle", "laid-back", "soothing", "easygoing",
             "mellow", "chilled", "unhurried"],
    "happy": ["happy", "cheerful", "bright", "sunny", "upbeat", "joyful", "feel-good",
              "light-hearted", "merry"],
    "sad": ["sad", "melancholy", "sorrowful", "mournful", "wistful", "heartbroken", "gloomy",
            "lonely", "tearful"],
    "dark": ["dark", "brooding", "ominous", "sinister", "shadowy", "menacing", "bleak", "murky"],
    "energetic": ["energetic", "driving", "lively", "powerful", "high-energy", "fiery", "intense",
                  "hard-hitting", "pumping"],
    "dreamy": ["dreamy", "hazy", "ethereal", "floating", "dreamlike", "airy", "misty",
               "otherworldly"],
    "romantic": ["romantic", "tender", "loving", "warm", "intimate", "sentimental", "passionate",
                 "heartfelt"],
    "tense": ["tense", "nervous", "suspenseful", "anxious", "uneasy", "edgy", "restless",
              "agitated"],
    "playful": ["playful", "quirky", "whimsical", "bouncy", "cheeky", "mischievous", "funny",
                "jaunty"],
    "epic": ["epic", "heroic", "grand", "majestic", "triumphant", "dramatic", "monumental",
             "larger-than-life"],
}  # fmt: skip

#: Mood -> what such music is for.
SCENES: dict[str, list[str]] = {
    "calm": ["for a quiet evening", "to relax to", "for a rainy afternoon", "for studying"],
    "happy": ["for a summer day", "for a road trip", "that makes you smile"],
    "sad": ["for a goodbye", "for a rainy day", "about loss"],
    "dark": ["for a horror scene", "for a walk at night", "for a villain"],
    "energetic": ["for a workout", "for a chase", "to dance to", "for a sports video"],
    "dreamy": ["to fall asleep to", "for gazing at the stars", "like a half-remembered dream"],
    "romantic": ["for a candlelit dinner", "for a love scene", "for a wedding"],
    "tense": ["for a thriller", "before the storm", "for a spy film"],
    "playful": ["for a cartoon", "for a children's game", "for a comedy"],
    "epic": ["for a film trailer", "for a battle scene", "for a great victory"],
}

#: Style family -> names of it.
FAMILY_WORDS: dict[str, list[str]] = {
    "ambient": ["ambient", "ambient music", "ambient soundscape", "atmospheric drone"],
    "bebop": ["bebop", "bop jazz", "fast modern jazz", "bebop jazz"],
    "big band": ["big band", "big band swing", "dance band", "ballroom swing"],
    "bluegrass": ["bluegrass", "hillbilly bluegrass", "appalachian string band"],
    "blues": ["blues", "twelve-bar style blues", "blues shuffle", "electric blues"],
    "bossa nova": ["bossa nova", "bossa", "brazilian lounge"],
    "calypso": ["calypso", "caribbean", "island music", "caribbean dance"],
    "cha-cha": ["cha-cha", "cha cha cha", "chachacha"],
    "cinematic": ["cinematic", "film score", "orchestral soundtrack", "cinematic orchestral"],
    "classical": ["classical", "classical chamber music", "classical music", "chamber piece"],
    "country": ["country", "country and western", "country music", "western"],
    "disco": ["disco", "seventies disco", "disco dance"],
    "drum and bass": ["drum and bass", "dnb", "drum & bass", "liquid drum and bass"],
    "folk": ["folk", "folk song", "acoustic folk", "folk music"],
    "funk": ["funk", "funky groove", "funk groove", "funk jam"],
    "gospel": ["gospel", "spiritual", "gospel hymn", "church music"],
    "gypsy jazz": ["gypsy jazz", "jazz manouche", "django-style jazz"],
    "hard rock": ["hard rock", "heavy rock", "punk rock", "stadium rock"],
    "hip hop": ["hip hop", "hip-hop beat", "trip hop beat", "hip hop instrumental"],
    "house": ["house", "house music", "club house", "dance house"],
    "jazz fusion": ["jazz fusion", "fusion", "jazz rock", "latin fusion jazz"],
    "jazz waltz": ["jazz waltz", "waltzing jazz", "jazz in three", "three-four swing"],
    "mambo": ["mambo", "salsa", "mambo dance", "cuban dance music"],
    "march": ["march", "marching band", "parade march", "brass band march"],
    "metal": ["metal", "heavy metal", "thrash metal", "metal riffs"],
    "new age": ["new age", "new age music", "lullaby", "meditation music"],
    "polka": ["polka", "oompah polka", "polka dance"],
    "pop": ["pop", "pop song", "pop music", "radio pop"],
    "pop ballad": ["pop ballad", "ballad", "slow pop song", "soft ballad"],
    "ragtime": ["ragtime", "dixieland", "old-time jazz", "twenties jazz"],
    "reggae": ["reggae", "roots reggae", "reggae groove"],
    "rock": ["rock", "rock song", "guitar rock", "rock music"],
    "rock and roll": ["rock and roll", "rock 'n' roll", "fifties rock and roll", "boogie", "twist"],
    "rumba": ["rumba", "rhumba", "bolero", "latin ballroom"],
    "samba": ["samba", "brazilian samba", "carnival samba"],
    "ska": ["ska", "ska groove", "upbeat ska"],
    "soul": ["soul", "r&b", "soul music", "rhythm and blues"],
    "swing jazz": ["swing jazz", "jazz", "swing", "swinging jazz", "straight-ahead jazz"],
    "synth pop": ["synth pop", "eighties synth pop", "electropop", "synthpop"],
    "tango": ["tango", "argentine tango", "tango dance"],
    "techno": ["techno", "techno track", "electronic techno", "rave techno"],
    "trance": ["trance", "trance anthem", "uplifting trance", "trance music"],
    "waltz": ["waltz", "waltz in three-four", "ballroom waltz", "dance in three"],
}

#: Instrument tag -> names of it (tags without an entry go by their own name).
INSTRUMENT_WORDS: dict[str, list[str]] = {
    "accordion": ["accordion", "squeeze box"],
    "acoustic guitar": ["acoustic guitar", "guitar", "nylon guitar", "steel-string guitar"],
    "bells": ["bells", "tubular bells", "chimes"],
    "brass": ["brass", "brass section", "horn section"],
    "cello": ["cello", "violoncello"],
    "choir": ["choir", "voices", "wordless choir", "choral voices"],
    "church organ": ["church organ", "pipe organ"],
    "distorted guitar": ["distorted guitar", "overdriven guitar", "heavy guitars", "power chords"],
    "drums": ["drums", "drum kit", "drum set", "drum beat"],
    "electric bass": ["electric bass", "bass guitar", "bass"],
    "electric guitar": ["electric guitar", "clean electric guitar", "guitar"],
    "electric piano": ["electric piano", "rhodes", "e-piano"],
    "fiddle": ["fiddle", "country fiddle"],
    "flute": ["flute", "concert flute"],
    "french horn": ["french horn", "horn"],
    "fretless bass": ["fretless bass", "bass"],
    "harmonica": ["harmonica", "blues harp"],
    "harp": ["harp", "concert harp"],
    "jazz guitar": ["jazz guitar", "guitar", "mellow guitar"],
    "music box": ["music box", "toy music box"],
    "muted guitar": ["muted guitar", "palm-muted guitar", "guitar"],
    "muted trumpet": ["muted trumpet", "trumpet with a mute"],
    "organ": ["organ", "electric organ", "drawbar organ"],
    "percussion": ["percussion", "hand percussion", "hand drums"],
    "piano": ["piano", "grand piano", "acoustic piano"],
    "pizzicato strings": ["pizzicato strings", "plucked strings"],
    "saxophone": ["saxophone", "sax", "tenor sax"],
    "slap bass": ["slap bass", "slapped bass", "bass"],
    "strings": ["strings", "string section", "string ensemble", "orchestral strings"],
    "synth": ["synth", "synth texture", "synthesizer"],
    "synth bass": ["synth bass", "bass synth", "electronic bass"],
    "synth lead": ["synth lead", "lead synth", "synthesizer"],
    "synth pad": ["synth pad", "warm pad", "pads"],
    "synth strings": ["synth strings", "string machine", "string pad"],
    "timpani": ["timpani", "kettle drums"],
    "trumpet": ["trumpet"],
    "upright bass": ["upright bass", "double bass", "acoustic bass", "bass"],
    "vibraphone": ["vibraphone", "vibes"],
    "violin": ["violin"],
}

#: Never in captions: for testing that paraphrases land where the style does.
HELD_OUT_SYNONYMS: dict[str, dict[str, list[str]]] = {
    "mood": {
        "calm": ["tranquil", "serene"],
        "happy": ["joyous", "jolly"],
        "sad": ["melancholic", "sorrow-filled"],
        "dark": ["grim", "foreboding"],
        "energetic": ["vigorous", "dynamic"],
        "dreamy": ["hypnagogic", "spacey"],
        "romantic": ["amorous", "affectionate"],
        "tense": ["nerve-racking", "apprehensive"],
        "playful": ["frolicsome", "humorous"],
        "epic": ["colossal", "sweeping"],
    },
    "family": {
        "ambient": ["drifting textures"],
        "big band": ["duke ellington"],
        "bluegrass": ["mountain music"],
        "blues": ["mississippi delta laments"],
        "bossa nova": ["ipanema beach music"],
        "cinematic": ["movie music", "hollywood motion picture"],
        "classical": ["concert hall music"],
        "country": ["nashville sound"],
        "drum and bass": ["jungle breakbeats"],
        "folk": ["campfire singer-songwriter"],
        "hip hop": ["rap backing track"],
        "house": ["chicago four on the floor"],
        "mambo": ["havana nightclub"],
        "march": ["military ceremony"],
        "metal": ["headbanging mosh pit"],
        "new age": ["spa music"],
        "pop ballad": ["tearful love serenade"],
        "ragtime": ["saloon piano style"],
        "reggae": ["jamaican riddim"],
        "rock and roll": ["rockabilly"],
        "samba": ["rio de janeiro street party"],
        "soul": ["motown"],
        "swing jazz": ["harlem cotton club"],
        "techno": ["berlin warehouse"],
        "waltz": ["viennese ball"],
    },
    "instrument": {
        "acoustic guitar": ["spanish guitar"],
        "drums": ["trap set"],
        "piano": ["concert piano", "pianoforte"],
        "organ": ["hammond"],
        "saxophone": ["alto sax"],
        "strings": ["violins and cellos"],
        "synth pad": ["synth wash"],
        "upright bass": ["contrabass"],
        "vibraphone": ["vibraharp"],
    },
}

#: (fastest tempo in quarters a minute, words) from slow to fast; adjectives all.
TEMPO_WORDS: list[tuple[int, list[str]]] = [
    (66, ["very slow", "slow", "crawling"]),
    (88, ["slow", "slow-moving", "slow-paced", "downtempo"]),
    (116, ["mid-tempo", "medium-tempo", "moderately paced", "medium-paced"]),
    (144, ["moderately fast", "fairly fast", "brisk"]),
    (172, ["fast", "up-tempo", "quick"]),
    (999, ["very fast", "breakneck", "fast", "racing"]),
]

#: Density -> adjectives.
DENSITY_WORDS: dict[str, list[str]] = {
    "sparse": ["sparse", "minimal", "spacious", "bare", "uncluttered"],
    "medium": ["steady", "balanced"],
    "dense": ["dense", "busy", "full", "packed", "richly layered"],
}

#: (loudest mean level in dBFS, adjectives).
LOUDNESS_WORDS: list[tuple[float, list[str]]] = [
    (-42, ["very quiet", "barely audible", "whisper-quiet", "faint"]),
    (-32, ["quiet", "soft", "softly played", "hushed"]),
    (-17, []),
    (0, ["loud", "full-volume", "big and loud"]),
]

#: Kind of dynamics -> what a listener would say.
DYNAMICS_WORDS: dict[str, list[str]] = {
    "crescendo": ["builds up", "gets louder", "grows louder and louder", "a crescendo",
                  "rises in intensity", "swells to a climax"],
    "decrescendo": ["gets quieter", "dies down", "a decrescendo", "calms down",
                    "slowly loses force"],
    "step up": ["suddenly gets loud", "a sudden jump in volume", "kicks in suddenly"],
    "step down": ["drops suddenly", "suddenly gets quiet", "a sudden drop in volume"],
    "break": ["with a break", "with a short pause", "stops and starts again",
              "the music halts for a moment"],
    "swells": ["pulsing", "comes in waves", "swelling and ebbing", "rises and falls over and over"],
    "build": ["instruments enter one by one", "builds layer by layer", "adds one part at a time",
              "starts thin and fills up"],
    "breakdown": ["instruments drop out one by one", "thins out", "loses one part after another",
                  "strips down step by step"],
    "section": ["thins out for a few bars", "with a stripped-down section",
                "some instruments rest for a while"],
    "fade in": ["fades in", "slowly fades in from nothing", "with a fade-in"],
    "fade out": ["fades out", "slowly fades away", "with a fade-out"],
    "silent start": ["starts after a moment of silence", "begins with silence"],
    "silent end": ["ends in silence", "stops early", "stops and leaves silence"],
}  # fmt: skip

#: Loudness of the first and last second against the whole, where no named dynamics say it.
EDGE_WORDS: dict[str, list[str]] = {
    "quiet start": ["starts quiet", "starts softly", "a quiet opening"],
    "loud start": ["starts loud", "a loud opening"],
    "quiet end": ["ends quietly", "a soft ending"],
    "loud end": ["ends loud", "a loud finish"],
}
