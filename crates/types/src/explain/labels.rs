//! The words around the explanations, shared by everything that shows them.

crate::texts! {
    /// All of them.
    pub ALL;
    /// Before what a code means.
    pub MEANS = "Means" / "Significa";
    /// Before a cause that the text names.
    pub CAUSE = "The text says" / "El texto dice";
    /// Before those who can act.
    pub ACTS = "Who acts" / "Quién actúa";
    /// Before whether it is tried again.
    pub RETRY = "Tried again" / "Se reintenta";
    /// Before the steps.
    pub STEPS = "What to do" / "Qué hacer";
    /// Before the causes that are usual.
    pub USUAL_CAUSES = "Usual causes" / "Causas habituales";
    /// Before who said it.
    pub SAID_BY = "said by" / "dicho por";
    /// Before whom it is about.
    pub ABOUT = "about" / "sobre";
    /// Where nobody has to act unless it lasts.
    pub IF_IT_LASTS = "nobody for now; if it lasts:" / "nadie por ahora; si dura:";
    /// Between two of those who can act.
    pub OR = "or" / "o";
    /// Before those who use a code.
    pub ONLY = "used only by" / "uso propio de";
    /// Where a code is in no RFC.
    pub NO_RFC = "in no RFC" / "en ningún RFC";
    /// Where the code itself is not known.
    pub BY_DIGITS = "not in the table; by its numbers" / "no está en la tabla; según sus cifras";
    /// Where nothing was found.
    pub NOTHING = "there is no reply code in this text, and no cause that is known"
        / "en este texto no hay ningún código de respuesta ni una causa conocida";
    /// What to do where nothing was found.
    pub ADVICE = "give a code such as 550 or 5.7.1, or the whole bounce, with what it says under «Diagnostic-Code» or «said»; a report in base64 has to be saved from the mail program as text first"
        / "dé un código como 550 o 5.7.1, o el rebote entero con lo que dice en «Diagnostic-Code» o «said»; un informe en base64 debe guardarse antes como texto desde el programa de correo";
}
