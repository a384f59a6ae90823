"""Common words and short phrases of languages other than English: speech that holds none of the named words.

The keys are names of voices of ``espeak-ng``. Words that sound like a named English word are left out (German "nein",
Spanish "no", Dutch "vijf", Japanese "go"): no reply to them is right or wrong.
"""

from __future__ import annotations

_LISTED = {
    "de": "ja|hallo|guten Morgen|danke|bitte|Wasser|Fenster|Straße|zwölf|heute|morgen|warum|vielleicht|Freund|Schule|"
    "wie geht es dir|ich weiß nicht|auf Wiedersehen|Entschuldigung|schön|Küche|Apfel|gestern|zwanzig|komm her|laut",
    "fr": "oui|bonjour|merci|s'il vous plaît|au revoir|maison|fenêtre|demain|pourquoi|peut-être|quatre|sept|dix-huit|"
    "chien|rouge|école|comment ça va|je ne sais pas|pardon|aujourd'hui|beaucoup|ouvrir|fromage|très bien|où est-il",
    "es": "sí|hola|gracias|por favor|buenos días|adiós|casa|ventana|mañana|cuatro|ocho|perro|rojo|escuela|vamos|"
    "qué hora es|no lo sé|perdón|hoy|mucho|abrir|izquierda|muy bien|dónde está|veinte|amigo",
    "it": "sì|ciao|grazie|per favore|buongiorno|arrivederci|casa|finestra|domani|quattro|otto|cane|rosso|scuola|"
    "andiamo|che ore sono|non lo so|scusa|oggi|molto|aprire|sinistra|va bene|dove|venti|pomodoro",
    "pt": "sim|olá|obrigado|por favor|bom dia|adeus|casa|janela|amanhã|quatro|oito|cachorro|vermelho|escola|vamos|"
    "que horas são|não sei|desculpe|hoje|muito|abrir|esquerda|tudo bem|onde|vinte|coração",
    "nl": "ja|hallo|goedemorgen|dank je wel|alsjeblieft|huis|raam|vandaag|waarom|misschien|negen|hond|rood|school|"
    "hoe laat is het|ik weet het niet|sorry hoor|gisteren|veel|openen|links|heel goed|waar|twintig|vriend",
    "pl": "tak|cześć|dziękuję|proszę|dzień dobry|do widzenia|dom|okno|jutro|cztery|osiem|kot|czerwony|szkoła|"
    "chodźmy|która godzina|nie wiem|przepraszam|dzisiaj|bardzo|otwórz|lewo|dobrze|gdzie|dwadzieścia|przyjaciel",
    "sv": "ja|hej|tack|snälla|god morgon|hej då|hus|fönster|i morgon|fyra|åtta|hund|röd|skola|kom hit|"
    "vad är klockan|jag vet inte|ursäkta|i dag|mycket|öppna|vänster|bra|var|tjugo|vän",
    "tr": "evet|hayır|merhaba|teşekkürler|lütfen|günaydın|hoşça kal|ev|pencere|yarın|dört|sekiz|köpek|kırmızı|okul|"
    "saat kaç|bilmiyorum|özür dilerim|bugün|çok|aç|sol|iyi|nerede|yirmi|arkadaş",
    "id": "ya|tidak|halo|terima kasih|tolong|selamat pagi|rumah|jendela|besok|empat|delapan|anjing|merah|sekolah|"
    "ayo pergi|jam berapa|saya tidak tahu|maaf|hari ini|banyak|buka|kiri|baik|di mana|dua puluh|teman",
    "sw": "ndiyo|hapana|habari|asante|tafadhali|kwaheri|nyumba|dirisha|kesho|nne|nane|mbwa|nyekundu|shule|twende|"
    "saa ngapi|sijui|samahani|leo|sana|fungua|kushoto|nzuri|wapi|ishirini|rafiki",
    "hi": "हाँ|नहीं|नमस्ते|धन्यवाद|कृपया|घर|खिड़की|कल|चार|आठ|कुत्ता|लाल|विद्यालय|चलो|कितने बजे हैं|मुझे नहीं पता|माफ़ कीजिए|"
    "आज|बहुत|खोलो|बाएँ|अच्छा|कहाँ|बीस|दोस्त|पानी",
    "cmn-latn-pinyin": "shi4|bu2 shi4|ni3 hao3|xie4 xie4|qing3|zao3 shang4 hao3|zai4 jian4|fang2 zi|chuang1 hu|"
    "ming2 tian1|si4|ba1|xiao3 gou3|hong2 se4|xue2 xiao4|wo3 men zou3|ji3 dian3 le|wo3 bu4 zhi1 dao4|dui4 bu qi3|"
    "jin1 tian1|hen3 duo1|da3 kai1|zuo3 bian1|hen3 hao3|zai4 na3 li3|er4 shi2|peng2 you3",
    "ja": "はい|いいえ|こんにちは|ありがとう|おねがいします|おはよう|さようなら|いえ|まど|あした|よん|はち|いぬ|あか|"
    "がっこう|なんじですか|わかりません|すみません|きょう|たくさん|あけて|ひだり|いいですね|どこ|にじゅう|ともだち",
    "ru": "да|нет|привет|спасибо|пожалуйста|доброе утро|до свидания|дом|окно|завтра|четыре|восемь|собака|красный|школа|"
    "пойдём|который час|я не знаю|извините|сегодня|очень|открой|налево|хорошо|где|двадцать|друг",
    "fi": "kyllä|hei|kiitos|ole hyvä|hyvää huomenta|näkemiin|talo|ikkuna|huomenna|neljä|kahdeksan|koira|punainen|koulu|"
    "mennään|paljonko kello on|en tiedä|anteeksi|tänään|paljon|avaa|vasen|hyvin|missä|kaksikymmentä|ystävä",
    "cs": "ano|ahoj|děkuji|prosím|dobrý den|na shledanou|dům|okno|zítra|čtyři|osm|pes|červený|škola|pojďme|"
    "kolik je hodin|nevím|promiňte|dnes|hodně|otevři|doleva|dobře|kde|dvacet|přítel",
    "el": "ναι|όχι|γεια σου|ευχαριστώ|παρακαλώ|καλημέρα|αντίο|σπίτι|παράθυρο|αύριο|τέσσερα|οκτώ|σκύλος|κόκκινο|σχολείο|"
    "πάμε|τι ώρα είναι|δεν ξέρω|συγγνώμη|σήμερα|πολύ|άνοιξε|αριστερά|καλά|πού είναι|είκοσι|φίλος",
    "hu": "igen|nem|szia|köszönöm|kérem|jó reggelt|viszontlátásra|ház|ablak|holnap|négy|nyolc|kutya|piros|iskola|"
    "menjünk|hány óra van|nem tudom|bocsánat|nagyon|nyisd ki|balra|jól|hol|húsz|barát",
    "vi": "vâng|không|xin chào|cảm ơn|làm ơn|tạm biệt|ngôi nhà|cửa sổ|ngày mai|bốn|tám|con chó|màu đỏ|trường học|"
    "đi thôi|mấy giờ rồi|tôi không biết|xin lỗi|hôm nay|nhiều|mở ra|bên trái|tốt|ở đâu|hai mươi|bạn",
}
WORLD_WORDS: dict[str, tuple[str, ...]] = {voice: tuple(texts.split("|")) for voice, texts in _LISTED.items()}
"""Texts by language."""
