package io.raybatch.examples.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.StringReader;
import org.junit.jupiter.api.Test;

class WordNetReaderTest {

    private static BufferedReader lines(String text) {
        return new BufferedReader(new StringReader(text));
    }

    @Test
    void wordNet31HasItsNodesAndEdges() throws Exception {
        Graph graph = WordNetReader.read();
        assertThat(graph.name()).isEqualTo("WordNet 3.1");
        assertThat(graph.nodes()).isEqualTo(265_773);
        assertThat(graph.edges()).isEqualTo(391_318);
    }

    @Test
    void wordsAreOneOverAllPartsOfSpeechAndSatellitesAreAdjectives() throws Exception {
        WordNetReader reader = new WordNetReader();
        reader.read("data.noun", lines("  1 a licence\n00000010 03 n 01 Light 0 000 | what one sees by\n"));
        reader.read("data.adj", lines("""
                00000020 00 a 02 light 0 bright(a) 0 001 & 00000030 a 0000 | not dark
                00000030 00 s 01 airy 0 001 & 00000020 a 0000 | full of air
                """));
        Graph graph = reader.graph("small");
        assertThat(graph.nodes()).as("three synsets, three words").isEqualTo(6);
        assertThat(graph.edges()).as("four memberships, one pointer both ways").isEqualTo(5);
        assertThat(EdgeListReaderTest.neighbours(graph, 3)).as("synsets of light").containsExactly(0, 1);
    }

    @Test
    void aMalformedLineIsNamedByFileAndNumber() {
        assertThatThrownBy(() -> new WordNetReader().read("data.verb", lines("  1 a licence\n00000010 03 v 02 go 0\n")))
                .isInstanceOf(BadInputException.class)
                .hasMessageStartingWith("data.verb:2: ");
    }

    @Test
    void aPointerToNothingIsNamedByFileAndNumber() throws Exception {
        WordNetReader reader = new WordNetReader();
        reader.read("data.noun", lines("00000010 03 n 01 light 0 001 @ 00000099 n 0000 | alone\n"));
        assertThatThrownBy(() -> reader.graph("torn"))
                .isInstanceOf(BadInputException.class)
                .hasMessageStartingWith("data.noun:1: ");
    }
}
