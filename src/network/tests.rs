//! Facts of the paper and the released code that the description must reproduce.

use super::*;

#[test]
fn parameters_are_those_of_the_released_networks() {
    assert_eq!(Network::i3d(Stream::Rgb, 400).parameters(), 12_689_984);
    assert_eq!(Network::i3d(Stream::Flow, 400).parameters(), 12_668_032);
    assert_eq!(Network::i3d(Stream::Rgb, 600).parameters(), 12_894_984);
}

#[test]
fn variables_are_those_of_the_released_checkpoints() {
    let network = Network::i3d(Stream::Rgb, 400);
    let variables = network.variables();
    assert_eq!(variables.len(), 230);
    let elements: usize = variables.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    assert_eq!(elements, 12_704_544);
    let has = |name: &str| variables.iter().any(|(n, _)| n == name);
    assert!(has("Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w"));
    assert!(!has("Mixed_5b/Branch_2/Conv3d_0b_3x3/conv_3d/w"));
    assert!(has("Logits/Conv3d_0c_1x1/conv_3d/b"));
}

#[test]
fn same_padding_follows_the_length() {
    // (length, kernel, stride) -> (out, before, after), from TensorFlow's rule.
    for ((n, k, s), want) in [
        ((224, 7, 2), (112, 2, 3)),
        ((64, 7, 2), (32, 2, 3)),
        ((79, 7, 2), (40, 3, 3)),
        ((250, 7, 2), (125, 2, 3)),
        ((125, 3, 2), (63, 1, 1)),
        ((63, 2, 2), (32, 0, 1)),
        ((16, 2, 2), (8, 0, 0)),
        ((28, 3, 1), (28, 1, 1)),
        ((56, 1, 1), (56, 0, 0)),
    ] {
        assert_eq!(same_padding(n, k, s), want, "n={n} k={k} s={s}");
    }
}

#[test]
fn logit_steps_are_an_eighth_of_the_frames_less_one() {
    let network = Network::i3d(Stream::Rgb, 400);
    for (frames, steps) in [(8, 0), (9, 1), (10, 1), (16, 1), (64, 7), (79, 9), (250, 31)] {
        assert_eq!(network.logit_steps(frames), steps, "{frames} frames");
    }
}

#[test]
fn any_width_gives_channels_in_fours() {
    for width in [0.05, 0.125, 0.3, 1.0, 1.5] {
        let network = Network { width, ..Network::i3d(Stream::Flow, 7) };
        let units = network.units();
        let (classifier, rest) = units.split_last().expect("a network has units");
        assert!(rest.iter().all(|u| u.out_channels >= 4 && u.out_channels % 4 == 0), "width {width}");
        assert_eq!(classifier.out_channels, 7);
    }
}

#[test]
fn the_paper_counts_the_same_parameters() {
    let both = |system, input| Network::new(system, input, 400).parameters();
    let rgb = Input::One(Stream::Rgb);
    let (flow, all) = (Input::One(Stream::Flow), Input::Both);
    for (system, input, want) in [
        (System::ConvNetLstm, rgb, 8_945_600),
        (System::ConvNet3d, rgb, 79_634_576),
        (System::TwoStream, all, 12_058_560),
        (System::TwoStream, rgb, 5_592_624 + 410_000),
        (System::TwoStream, flow, 5_645_936 + 410_000),
        (System::Fused, all, 39_755_824),
    ] {
        assert_eq!(both(system, input), want, "{system} {input:?}");
    }
    assert_eq!(both(System::I3d, rgb) + both(System::I3d, flow), 25_358_016);
}
